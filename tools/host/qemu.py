# SPDX-License-Identifier: BSD-2-Clause
"""One guest under QEMU: its command line, its process, its monitor and its serial line.

The serial line, or the virtio console in its place, is a pair of named pipes, 1 MiB deep: QEMU writes single bytes, of which a unix
socket holds 278, and what does not fit the guest drops sooner or later. For QMP we listen and QEMU
connects. A thread reads the serial line into a file and a queue of `@` events; everything else
belongs to the thread that made the Guest. However we end, QEMU ends: stop() on every way out, and the kernel
kills it when we die (PR_SET_PDEATHSIG).
"""

import collections
import contextlib
import ctypes
import dataclasses
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import events
from .errors import GIB, ToolError
from .host_memory import RamFile
from .qmp import Qmp, QmpError

OVMF = pathlib.Path(os.environ.get("AEROSTAT_OVMF", "/usr/share/OVMF"))
BALLOON_ID = "balloon0"
BALLOON_PATH = f"/machine/peripheral/{BALLOON_ID}"
CONNECT_TIMEOUT = 10.0
PR_SET_PDEATHSIG = 1
LAST_WORDS = ("panic: ", "aerostat: cannot start: ")  # how the kernel begins them
SEND_TIMEOUT = 5.0
PIPE_SIZE = 1 << 20
LINE_MAX = 64 << 10
EVENTS_KEPT = 200000

_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass
class GuestSpec:
    """What to start. `config` are words for the kernel, by its command line or by fw_cfg."""

    image: str
    boot: str = "pvh"  # pvh: the ELF by -kernel; efi: a disk image in OVMF
    qemu: str = "qemu-system-x86_64"
    machine: str = "q35"
    accel: str = "tcg"
    cpu: str = "max"
    smp: int = 1
    memory: int = GIB
    ram: str = "private"  # private; shared: a sparse file whose holes can be looked at; hugetlb
    balloon: str | None = None  # device with its options; None: what fits the machine; "": none
    console: str = ""  # a virtio-serial device with its options instead of the UART; "" for the UART
    disk: str = "virtio"  # EFI: virtio, ahci, usb or cd
    disk_format: str = "raw"  # as QEMU calls it
    config: str = ""
    debug_exit: bool = True  # a refusal or a panic ends QEMU
    reboot: bool = False  # a reset boots again instead of ending QEMU
    incoming: bool = False  # wait for a guest that another QEMU sends (QMP migrate-incoming)
    extra: tuple = ()

    @property
    def balloon_device(self):
        if self.balloon is not None:
            return self.balloon
        return "virtio-balloon-device" if self.machine.startswith("microvm") else "virtio-balloon-pci"


def command(spec, folder, ram_path=None):
    """QEMU's argument list. Sockets and the copy of the firmware's variables lie in `folder`."""
    backend = "memory-backend-ram,id=ram,reserve=off"
    if spec.ram == "hugetlb":
        backend = "memory-backend-memfd,id=ram,hugetlb=on,hugetlbsize=2M"
    if ram_path:
        backend = f"memory-backend-file,id=ram,share=on,mem-path={ram_path}"
    argv = [spec.qemu, "-accel", spec.accel, "-nodefaults", "-display", "none",
            "-machine", f"{spec.machine},memory-backend=ram", "-cpu", spec.cpu,
            "-smp", str(spec.smp), "-m", f"{spec.memory // 1024}K",
            "-object", f"{backend},size={spec.memory}"]
    argv += ["-chardev", f"pipe,id=serial,path={folder}/serial", "-chardev",
             f"socket,id=qmp,path={folder}/qmp.sock", "-mon", "chardev=qmp,mode=control"]
    if spec.console:
        argv += ["-serial", "none", "-device", spec.console, "-device", "virtconsole,chardev=serial"]
    else:
        argv += ["-serial", "chardev:serial"]
    argv += spec.extra  # first: bridges come before what is plugged into them
    if spec.balloon_device:
        argv += ["-device", f"{spec.balloon_device},id={BALLOON_ID}"]
    if spec.debug_exit:
        argv += ["-device", "isa-debug-exit,iobase=0x501,iosize=4"]
    if spec.boot == "pvh":
        argv += ["-kernel", str(spec.image)]
        argv += ["-append", spec.config] if spec.config else []
    else:
        argv += _efi_arguments(spec, folder)
    argv += ["-incoming", "defer"] if spec.incoming else []
    return argv + ([] if spec.reboot else ["-no-reboot"])


def settings(words):
    """[(key, value), ..] of "key=value key='with blanks'"."""
    try:
        pairs = [(word, *word.partition("=")) for word in shlex.split(words)]
    except ValueError as error:
        raise ToolError(f"settings for the guest {words!r}: {error}") from None
    for word, key, equals, _ in pairs:
        if not (key and equals):
            raise ToolError(f"settings for the guest {words!r}: {word!r} is no key=value "
                            "(a value with blanks stands in quotes)")
    return [(key, value) for _, key, _, value in pairs]


def _efi_arguments(spec, folder):
    drive = f"file={spec.image},format={spec.disk_format},if=none,id=disk"
    drive += ",media=cdrom" if spec.disk == "cd" else ",snapshot=on"
    device = {"virtio": ["virtio-blk-pci,drive=disk"],
              "ahci": ["ich9-ahci,id=ahci", "ide-hd,bus=ahci.0,drive=disk"],
              "cd": ["ich9-ahci,id=ahci", "ide-cd,bus=ahci.0,drive=disk"],
              "usb": ["qemu-xhci", "usb-storage,drive=disk"]}[spec.disk]
    argv = ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=raw,unit=1,file={folder}/vars.fd", "-drive", drive]
    for option in device:
        argv += ["-device", option]
    for key, value in settings(spec.config):
        value = value.replace(",", ",,")
        argv += ["-fw_cfg", f"name=opt/org.aerostat/{key},string={value}"]
    return argv


class Guest:
    """A running guest. A context manager: leaving it stops QEMU and removes its folder."""

    def __init__(self, spec, serial_log=None):
        self.spec = spec
        self.events = collections.deque(maxlen=EVENTS_KEPT)
        self.arrived = threading.Condition()
        self.seen = 0  # events so far; the deque forgets, this does not
        self.last_line = self.last_words = ""
        self.reader_error = None
        self.process = self.qmp = self.ram_file = None
        self.started_at = 0.0
        self._serial_log, self._reader = serial_log, None
        self._folder = tempfile.mkdtemp(prefix="aerostat-")
        self._pipes = []  # file descriptors: commands to the guest, its output, our hold on that
        self._listener = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        spec = self.spec
        if not os.path.isfile(spec.image):
            raise ToolError(f"no guest image {spec.image} (run `make` first)")
        if spec.boot == "efi":
            self._copy_variables()
        if spec.ram == "shared":
            self.ram_file = RamFile(f"/dev/shm/{os.path.basename(self._folder)}", spec.memory)
        self._open_lines()
        self.argv = command(spec, self._folder, self.ram_file and self.ram_file.path)
        self._spawn()
        self._reader = threading.Thread(target=self._read_serial, daemon=True)
        self._reader.start()
        try:
            self.qmp = Qmp(self._accept())
            self.qmp.open()
        except QmpError as problem:
            raise self.cause_of(problem) from None
        self._let_go()
        if self.ram_file:
            self.ram_file.forget_name()

    def stop(self):
        """Kill QEMU if it runs and take away everything of ours. Never raises, may be repeated."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self._let_go()
        if self._reader and self._reader is not threading.current_thread():
            self._reader.join(timeout=5)
        for thing in (self.qmp, self.ram_file, self._listener):
            if thing:
                thing.close()
        while self._pipes:
            os.close(self._pipes.pop())
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid

    def exit_status(self, timeout=10.0):
        """Wait for QEMU to end by itself; its exit status, or None when it still runs."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(timeout=5)
        return status

    def check_alive(self):
        """Raise the one line that says how QEMU or the serial reader ended, if one did."""
        if self.reader_error:
            raise self.reader_error
        status = self.process.poll()
        if status is None:
            return
        self._let_go()
        if self._reader:
            self._reader.join(timeout=2)
        said = self._complaint()
        if not self.last_line:
            raise ToolError(f"QEMU ended at once (exit {status}): {said or 'no message'}")
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit {status}"
        raise self._death(how, said)

    def _death(self, how, said=""):
        """The error for a guest that ended: its panic or refusal if there was one, else the last
        thing it or QEMU said."""
        return ToolError(f"the guest died ({how}): {self.last_words or said or self.last_line}")

    def cause_of(self, problem):
        """A broken connection mostly means that QEMU has ended: then that is the error."""
        try:
            self.process.wait(0.5)
            self.check_alive()
        except subprocess.TimeoutExpired:
            return self._death(self.qmp.ended) if self.qmp and self.qmp.ended else problem
        except ToolError as death:
            return death
        return problem

    def send(self, line):
        """Type a command line on the guest's serial port."""
        data, deadline = line.encode() + b"\n", time.monotonic() + SEND_TIMEOUT
        while data:
            try:
                data = data[os.write(self._pipes[0], data):]
            except BlockingIOError:
                self.check_alive()
                if time.monotonic() > deadline:
                    raise ToolError("the guest does not read its serial port") from None
                time.sleep(0.01)

    def wait_for(self, match, timeout, since=0, what=None):
        """The first event after number `since` that `match` accepts. Raises when it is late."""
        deadline = time.monotonic() + timeout
        while True:
            fresh, since = self.events_since(since)
            for event in fresh:
                if match(event):
                    return event
            with self.arrived:
                left = deadline - time.monotonic()
                if left > 0 and self.seen == since and self.process.poll() is None:
                    self.arrived.wait(min(left, 0.2))
            if self.process.poll() is not None:
                self._reader.join(timeout=5)  # what it said last may be what we wait for
                if self.seen == since:
                    self.check_alive()
            elif left <= 0:
                last = f" (last line: {self.last_line[:120]})" if self.last_line else ""
                raise ToolError(
                    f"the guest is silent: no {what or 'answer'} within {timeout:g} s{last}")

    def events_since(self, number):
        """(events after number `number`, the number to ask with next time)."""
        with self.arrived:
            skip = max(0, number - (self.seen - len(self.events)))
            return list(self.events)[skip:], self.seen

    def ask(self, line, timeout=10.0, **words):
        """Send a command and wait for the event that answers it."""
        since = self.seen
        self.send(line)
        return self.wait_for(lambda event: event.has(**words), timeout, since,
                             f"answer to `{line}`")

    def _copy_variables(self):
        source = OVMF / "OVMF_VARS_4M.fd"
        for path in (source, OVMF / "OVMF_CODE_4M.fd"):
            if not path.is_file():
                raise ToolError(f"no UEFI firmware {path} (run `make setup`)")
        try:
            shutil.copyfile(source, f"{self._folder}/vars.fd")
        except OSError as error:
            raise ToolError(f"cannot copy OVMF's variables: {error.strerror}") from None

    def _spawn(self):
        def follow_parent():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self.started_at = time.monotonic()
        try:
            with open(f"{self._folder}/stderr", "wb") as stderr:
                self.process = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=stderr, start_new_session=True, preexec_fn=follow_parent)
        except OSError as error:
            raise ToolError(f"cannot start {self.spec.qemu}: {error.strerror}") from None

    def _open_lines(self):
        """Both pipes and the monitor's socket, before QEMU opens its ends."""
        for name, mode in (("serial.in", os.O_RDWR), ("serial.out", os.O_RDONLY),
                           ("serial.out", os.O_WRONLY)):
            path = f"{self._folder}/{name}"
            if not os.path.exists(path):
                os.mkfifo(path)
            self._pipes.append(os.open(path, mode | os.O_NONBLOCK | os.O_CLOEXEC))
        with contextlib.suppress(OSError):  # users have a limit for all their pipes together
            fcntl.fcntl(self._pipes[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.set_blocking(self._pipes[1], True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self._folder}/qmp.sock")
        self._listener.listen(1)

    def _let_go(self):
        """Leave QEMU as the only writer of its output, whose end is then the end of the file."""
        if len(self._pipes) == 3:
            os.close(self._pipes.pop())

    def _accept(self):
        deadline = time.monotonic() + CONNECT_TIMEOUT
        self._listener.settimeout(0.02)
        while True:
            try:
                return self._listener.accept()[0]
            except socket.timeout:
                self.check_alive()
                if time.monotonic() > deadline:
                    raise ToolError("QEMU does not open its QMP socket") from None

    def _complaint(self):
        with open(f"{self._folder}/stderr", encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file.read(8192).splitlines()]
        return next((line for line in lines if line and "warning:" not in line), "")

    def _read_serial(self):
        pending = b""
        while True:
            try:
                data = os.read(self._pipes[1], 65536)
            except OSError:
                return
            now = time.monotonic()
            try:
                if data and self._serial_log:
                    self._serial_log.write(data)
            except OSError as error:
                self.reader_error = ToolError(f"cannot write serial.log: {error.strerror}")
                return
            *lines, pending = (pending + data).split(b"\n")
            pending = pending[-LINE_MAX:]
            for line in lines if data else [*lines, pending]:
                self._take_line(line.decode(errors="replace"), now)
            if not data:
                return

    def _take_line(self, line, now):
        line = events.clean(line)
        if not line.strip():
            return
        self.last_line = line
        if line.startswith(LAST_WORDS) and not self.last_words:
            self.last_words = line
        event = events.parse_line(line, now)
        if not event:
            return
        with self.arrived:
            self.events.append(event)
            self.seen += 1
            self.arrived.notify_all()
