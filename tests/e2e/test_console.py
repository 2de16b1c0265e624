# SPDX-License-Identifier: BSD-2-Clause
"""Command lines arrive whole, however they meet the guest's own reading of the port."""

import contextlib
import socket
import subprocess
import time

import pytest
from cases import Case
from host.errors import MIB
from host.qmp import Qmp

pytestmark = pytest.mark.e2e

COMMANDS = 1500
MEMORY = 64 * MIB


def test_no_character_is_lost(boot):
    # The task once read the UART beside its ISR and lost a character in some 300 commands.
    with boot(Case("console")) as guest:
        for _ in range(COMMANDS):
            guest.mem()
        assert guest.events(event="error") == []


def connect(path):
    """A connection to QEMU's socket, as soon as it is there."""
    line, deadline = socket.socket(socket.AF_UNIX), time.monotonic() + 10
    while True:
        try:
            line.connect(str(path))
            return line
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < deadline, f"QEMU does not open {path}"
            time.sleep(0.02)


def read_until_quiet(line):
    said = b""
    line.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while more := line.recv(65536):
            said += more
    return said


@contextlib.contextmanager
def unread_guest(build, folder):
    """A guest that has much to say, stopped before its first word; its monitor and its serial line."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-nodefaults",
            "-display", "none", "-m", str(MEMORY // MIB), "-S", "-kernel", build / "aerostat.elf",
            "-append", 'run="' + "mem;" * 200 + '"', "-device", "virtio-balloon-pci"]
    for option in ("serial", "qmp"):
        argv += [f"-{option}", f"unix:{folder}/{option},server=on,wait=off"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        try:
            with connect(folder / "serial") as serial:
                qmp = Qmp(connect(folder / "qmp"))
                qmp.open()
                yield qmp, serial
                qmp.close()
        finally:
            process.kill()


def test_a_reader_that_does_not_read_costs_text_not_time(build, tmp_path):
    with unread_guest(build, tmp_path) as (qmp, serial):
        qmp.execute("cont")
        qmp.balloon(MEMORY // 2)
        deadline = time.monotonic() + 2  # 0.1 s here; 3.2 s when each byte waited
        while qmp.query_balloon() != MEMORY // 2:
            assert time.monotonic() < deadline, "the guest waits for its serial line"
            time.sleep(0.05)
        read_until_quiet(serial)  # what was said before the line was full
        serial.sendall(b"mem check\n")
        assert b" event=mem " in read_until_quiet(serial), "read again, but silent"
