#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for QEMU and guest: takes QEMU's arguments, speaks QMP and `@` lines, moves a balloon.

It misbehaves as the environment variable FAKE says (one word):
    refuse     say why and exit 1 before anything, as QEMU does with bad arguments
    silent     never print anything              no-balloon  be ready without a balloon
    die        end when asked to shrink          panic       say so and end in the middle of a fill
    stuck      never reach a target              rude        greet with something that is no QMP
    garbage    answer query-balloon with no JSON wrong-type  ... with a value of the wrong type
    mute       never answer query-balloon        deny        refuse the balloon command
    slow       reach targets slowly (for tests that interrupt)
    noise      mix unparsable serial lines in
"""

import json
import mmap
import os
import selectors
import socket
import sys
import time

FAKE = os.environ.get("FAKE", "")
MIB = 1 << 20
PAGE = 4096


def option(name):
    """Values of every `-name value` on the command line."""
    return [sys.argv[i + 1] for i, word in enumerate(sys.argv[:-1]) if word == f"-{name}"]


class Guest:
    """Memory that really is resident when filled and really goes away when ballooned."""

    def __init__(self):
        self.size = int(option("m")[0].rstrip("K")) * 1024
        self.memory = mmap.mmap(-1, self.size)
        self.target = self.actual = self.size
        self.filled = 0
        self.start = time.monotonic_ns()
        path = path_of("serial")
        self.input = os.open(f"{path}.in", os.O_RDWR)
        self.output = os.open(f"{path}.out", os.O_RDWR)

    def say(self, text):
        line = f"@ t={time.monotonic_ns() - self.start} {text}\n"
        if FAKE != "silent":
            os.write(self.output, line.encode())

    def boot(self):
        if FAKE == "noise":
            os.write(self.output, b"\x1b[2J\xff\xfe@ t=x\r\n@ t=99999999999999999999999 a=b\n@ \n")
        self.say(f"event=boot version=1 front=pvh mem_total={self.size}")
        if FAKE != "no-balloon":
            self.say("balloon=virtio event=attached features=0x1 transport=pci-modern irq=intx")
        self.say("event=ready")

    def command(self, line):
        if line == "mem":
            free = self.actual - self.filled
            self.say(f"event=mem total={self.size} free={free} filled={self.filled}"
                     f" ballooned={self.size - self.actual}")
        elif line.startswith("fill"):
            if FAKE == "panic":
                os.write(self.output, b"panic: page fault at 0x10\n")
                sys.exit(7)
            self.filled = self.size * 8 // 10
            for at in range(0, self.filled, PAGE):
                self.memory[at] = 1
            self.say(f"event=fill bytes={self.filled} wanted={self.filled}")
        elif line == "free":
            freed, self.filled = self.filled, 0
            self.say(f"event=free bytes={freed}")
        else:
            self.say(f'event=error command={line.split()[0]} reason="no such command"')

    def set_target(self, target):
        if FAKE == "die":
            os.write(self.output, b"last words\n")
            sys.exit(1)
        self.target = min(self.size, target)

    def step(self):
        """A little further to the target; pages above `actual` are given back."""
        if FAKE == "stuck" or self.actual == self.target:
            return
        most = PAGE if FAKE == "slow" else 8 * MIB
        delta = max(-most, min(most, self.target - self.actual))
        self.actual += delta
        if delta < 0:
            self.memory.madvise(mmap.MADV_DONTNEED, self.actual, -delta)
        self.say(f"balloon=virtio target={(self.size - self.target) // PAGE}"
                 f" actual={(self.size - self.actual) // PAGE}")


def path_of(name):
    chardev = next(value for value in option("chardev") if f"id={name}" in value)
    return chardev.rpartition("path=")[2]


def answer(guest, request):
    """The bytes a QMP request is answered with."""
    command, value = request["execute"], {}
    if command == "query-balloon":
        if FAKE == "mute":
            return b""
        if FAKE == "garbage":
            return b"{not json\n"
        value = ["actual"] if FAKE == "wrong-type" else {"actual": guest.actual}
    elif command == "balloon":
        if FAKE == "deny":
            error = {"class": "DeviceNotActive", "desc": "No balloon device has been activated"}
            return json.dumps({"error": error, "id": request["id"]}).encode() + b"\n"
        guest.set_target(request["arguments"]["value"])
    return json.dumps({"return": value, "id": request["id"]}).encode() + b"\n"


def main():
    if FAKE == "refuse":
        sys.exit("fake-qemu: -machine q35: unsupported machine type")
    guest = Guest()
    qmp = socket.socket(socket.AF_UNIX)
    qmp.connect(path_of("qmp"))
    qmp.sendall(b"SSH-2.0-nonsense\n" if FAKE == "rude" else json.dumps(
        {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}).encode() + b"\n")
    guest.boot()
    selector = selectors.DefaultSelector()
    pending = {qmp.fileno(): b"", guest.input: b""}
    for descriptor in pending:
        selector.register(descriptor, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select(0.002):
            data = os.read(key.fd, 4096)
            if not data:
                return
            *lines, pending[key.fd] = (pending[key.fd] + data).split(b"\n")
            for line in lines:
                if key.fd == guest.input:
                    guest.command(line.decode())
                else:
                    qmp.sendall(answer(guest, json.loads(line)))
        guest.step()


if __name__ == "__main__":
    main()
