# SPDX-License-Identifier: BSD-2-Clause
"""The guests that benches run, on top of tools/host: ours and the Linux peer.

Both get the same machine, CPU, RAM and balloon device; only kernel, initramfs and command line
differ. Both obey `fill` and `free` on their serial port and answer with the same `@` lines.
"""

import glob
import os
import re
import time

import backing as backings
from tree import CACHE, DISK, IMAGE, ROOT  # noqa: F401

from host import qemu
from host.errors import MIB, ToolError

READY_LIMIT_S = 120
ANSWER_LIMIT_S = 60
MOVE_LIMIT_S = 120  # requests run inside QEMU's vCPU and may keep it from answering
PROCESS_CPU_CLOCK = 2  # clock_getcpuclockid(3) as a number: this kind, and the process in the bits above
RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")


class Measured(qemu.Guest):
    """A guest that can be stopped, and tells what it costs the host."""

    def start(self):
        super().start()
        self.qmp.timeout = MOVE_LIMIT_S

    def wait_ready(self):
        self.wait_for(lambda event: event.has(event="ready"), READY_LIMIT_S, what="ready event")

    def pause(self):
        self.qmp.execute("stop")

    def resume(self):
        self.qmp.execute("cont")

    def cpu_seconds(self):
        """CPU time that QEMU's threads have used: unlike wall-clock time it hardly depends on what
        else the host does."""
        return sum(map(_thread_seconds, glob.glob(f"/proc/{self.pid}/task/*/schedstat")))

    def cpu_now(self):
        """The same up to this moment, of threads on a CPU too: for pieces as short as a tick of the host's."""
        return time.clock_gettime(~self.pid << 3 | PROCESS_CPU_CLOCK)

    def vcpu_seconds(self):
        """CPU time of the thread that runs the guest, and the host's work in its place."""
        thread = self.qmp.execute("query-cpus-fast")[0]["thread-id"]
        return _thread_seconds(f"/proc/{self.pid}/task/{thread}/schedstat")

    def resident(self):
        """Resident bytes of the whole process, from counters: cheap enough to poll."""
        with open(f"/proc/{self.pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def ram_held(self):
        """(resident bytes of the guest's RAM alone, bytes of those on huge pages). Walks the page
        tables: not for polling."""
        with open(f"/proc/{self.pid}/smaps", encoding="ascii") as file:
            return ram_of_smaps(file, self.spec.memory)


class Guest(Measured):
    """One that has a name and a backing, and can be made to touch memory. `spec` are the other words of
    qemu.GuestSpec."""

    def __init__(self, name, image=IMAGE, backing=None, **spec):
        self.backing = backing or backings.BACKINGS["thp"]
        spec.setdefault("ram", self.backing.ram)
        super().__init__(qemu.GuestSpec(image, **spec))
        self.name = name

    def start(self):
        with backings.in_force(self.backing):
            super().start()

    def fill(self, size_bytes):
        """The guest takes that much memory and writes to each page of it."""
        got = self.ask(f"fill {size_bytes // MIB}M", ANSWER_LIMIT_S, event="fill").number("bytes")
        if got is None or got < size_bytes:
            raise ToolError(f"{self.name} filled {got} bytes, not {size_bytes}")

    def free(self):
        """All of it goes back to the guest's allocator; the event that says so."""
        return self.ask("free", ANSWER_LIMIT_S, event="free")

    def fill_and_free(self, size_bytes):
        self.fill(size_bytes)
        self.free()


def ram_of_smaps(lines, memory):
    """(Rss, AnonHugePages) in bytes of the one mapping that is as large as the guest's memory."""
    held, inside = {}, False
    for line in lines:
        head = RANGE.match(line)
        if head:
            inside = int(head.group(2), 16) - int(head.group(1), 16) == memory
        elif inside and line.startswith(("Rss:", "AnonHugePages:")):
            key, value = line.split()[:2]
            held[key] = held.get(key, 0) + int(value) * 1024
    if not held:
        raise ToolError(f"QEMU has no mapping of {memory} bytes")
    return held["Rss:"], held["AnonHugePages:"]


def _thread_seconds(path):
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9  # its unit is ns
    except FileNotFoundError:  # the thread has ended
        return 0.0
