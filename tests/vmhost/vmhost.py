# SPDX-License-Identifier: BSD-2-Clause
"""A guest under the monitor that plays VMware: how both are put together, what the host says and does.

    with vmhost.Run(build, build / "aerostat.elf", folder, ["caps=0x2e"]) as run:
        run.guest.wait_for(...)         # as any Guest of tools/host/qemu.py
        run.say("target=20000")         # a word of README.md, obeyed at the guest's next poll
        run.wait("audit")               # a line of the monitor

The monitor is QEMU's -kernel and the guest its -initrd. Always TCG: the monitor needs SVM.
"""

import pathlib
import socket
import struct
import subprocess
import time

from host import events
from host.errors import MIB, ToolError
from host.qemu import Guest, GuestSpec

PACKAGE_MAGIC = b"VMHOSTPK"
PAGE = 4096

BASIC, BATCH, BLOCK, DOORBELL, WIDE = 0x02, 0x04, 0x08, 0x10, 0x20
LEVELS = {"basic": BASIC, "batch": BASIC | BATCH, "block": BASIC | BATCH | BLOCK,
          "wide": BASIC | BATCH | BLOCK | WIDE, "doorbell": BASIC | BATCH | BLOCK | DOORBELL | WIDE}

# QEMU's exit status: (value << 1) | 1, values of tests/vmhost/end.h
EXIT_VIOLATION, EXIT_UNABLE, EXIT_SHUTDOWN = 65, 67, 69


def pack(guest, initrd, path):
    """Write the package of a guest that wants an initrd: a page with the sizes, the ELF, the initrd."""
    with open(guest, "rb") as elf_file, open(initrd, "rb") as initrd_file, open(path, "wb") as out:
        elf, data = elf_file.read(), initrd_file.read()
        out.write(struct.pack("<8sQQ", PACKAGE_MAGIC, len(elf), len(data)).ljust(PAGE, b"\0"))
        out.write(elf + bytes(-len(elf) % PAGE) + data)
    return path


def spec(build, guest, folder, words=(), config="", initrd=None, **fields):
    """The GuestSpec of a guest under the monitor. Its log and its control port lie in `folder`."""
    module = pack(guest, initrd, f"{folder}/package") if initrd else guest
    extra = ("-initrd", str(module), "-debugcon", f"file:{folder}/monitor.log", "-serial",
             f"unix:{folder}/control.sock,server=on,wait=off", "-global", "hpet.msi=on")
    fields.setdefault("machine", "q35,smm=off")
    fields.setdefault("memory", 256 * MIB)
    fields.setdefault("balloon", "")
    fields["extra"] = extra + tuple(fields.get("extra", ()))
    return GuestSpec(image=str(build / "vmhost.elf"), accel="tcg", cpu="max",
                     config=f"{' '.join(words)} -- {config}".strip(), **fields)


def probe(build, name, folder, words=(), machine="q35,smm=off", extra=(), timeout=30):
    """Run tests/vmhost/probe.c: (exit status, what it said as {key: [values]}, the monitor's lines)."""
    log, said = pathlib.Path(folder, "monitor.log"), {}
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-machine", machine, "-cpu", "max", "-m", "128",
            "-nodefaults", "-display", "none", "-no-reboot", "-kernel", str(build / "vmhost.elf"),
            "-initrd", str(build / "vmhost-probe.elf"), "-append", f"{' '.join(words)} -- probe={name}",
            "-serial", "stdio", "-debugcon", f"file:{log}", "-global", "hpet.msi=on",
            "-device", "isa-debug-exit,iobase=0x501,iosize=4", *extra]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          check=False)
    for event in filter(None, map(events.parse_line, done.stdout.splitlines())):
        said.setdefault(event.get("probe"), []).append(event.number("value"))
    return done.returncode, said, list(map(events.parse_line, log.read_text().splitlines()))


def floor(build, folder, words=("scribble=0",)):
    """{"get-target", "lock", "unlock": nanoseconds of one call}: below this no driver can be."""
    status, said, lines = probe(build, "floor", folder, words)
    if status != 1:
        raise ToolError(f"the probe ended with {status}: {lines[-1:]}")
    scale = 1e6 / said["khz"][0] / said["calls"][0]
    return {name: said[name][-1] * scale for name in ("get-target", "lock", "unlock")}


class Run:
    """A guest under the monitor while it runs, and the monitor's lines. A context manager. `kind` is what makes a
    Guest of its spec."""

    def __init__(self, build, guest, folder, words=(), config="", initrd=None, serial_log=None, kind=Guest, **fields):
        self.folder = str(folder)
        self.guest = kind(spec(build, guest, self.folder, words, config, initrd, **fields), serial_log)
        self._control = None

    def __enter__(self):
        self.guest.start()
        return self

    def __exit__(self, *_):
        self.guest.stop()
        if self._control:
            self._control.close()

    def lines(self):
        """All lines of the monitor so far, as events."""
        try:
            with open(f"{self.folder}/monitor.log", encoding="ascii") as log:
                text = log.read()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind("\n") + 1]
        return [event for event in map(events.parse_line, whole.splitlines()) if event]

    def now(self):
        """The time of the monitor's last line, for `after`."""
        return (self.lines() or [events.Event(-1, {})])[-1].t

    def said(self, what, after=-1, **words):
        """The monitor's lines `vmhost=what` with these words, later than `after`."""
        return [line for line in self.lines() if line.t > after and line.has(vmhost=what, **words)]

    def wait(self, what, timeout=30.0, after=-1, **words):
        """The first such line, once it is there."""
        deadline = time.monotonic() + timeout
        while not (found := self.said(what, after, **words)):
            if unable := self.said("unable"):
                raise ToolError(f"the monitor cannot go on: {unable[0].get('reason')}")
            has_ended = self.guest.process.poll() is not None
            if has_ended and not self.said(what, after, **words):
                raise ToolError(f"QEMU has ended without vmhost={what}: {self.lines()[-3:]}")
            if time.monotonic() > deadline:
                raise ToolError(f"no vmhost={what} {words} within {timeout:g} s: {self.lines()[-3:]}")
            time.sleep(0.02)
        return found[0]

    def say(self, word):
        """Type a word on the control port."""
        if self._control is None:
            self._control = socket.socket(socket.AF_UNIX)
            self._control.connect(f"{self.folder}/control.sock")
        self._control.sendall(word.encode() + b"\n")

    def audit(self, timeout=10.0):
        """The host's books now: after the guest's next poll."""
        after = self.now()
        self.say("audit")
        return self.wait("audit", timeout, after)

    def finish(self, timeout=20.0):
        """Wait for QEMU's end: (exit status, the last audit)."""
        status = self.guest.exit_status(timeout)
        if status is None:
            raise ToolError("the guest does not end")
        audits = self.said("audit")
        return status, audits[-1] if audits else None


def check_clean(audit):
    """No rule was broken."""
    assert audit is not None, "the monitor wrote no account"
    assert audit.number("violations") == 0, audit
