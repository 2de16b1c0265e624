# SPDX-License-Identifier: BSD-2-Clause
"""The guests that benches run, on top of tools/host: ours and the Linux peer.

Both get the same machine, CPU, RAM and balloon device; only kernel, initramfs and command line
differ. Both obey `fill` and `free` on their serial port and answer with the same `@` lines.
"""

import glob
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from host import qemu  # noqa: E402
from host.errors import MIB, ToolError  # noqa: E402, F401

IMAGE = os.path.join(ROOT, "build/aerostat.elf")
DISK = os.path.join(ROOT, "build/aerostat.img")
READY_LIMIT_S = 120
ANSWER_LIMIT_S = 60
MOVE_LIMIT_S = 120  # requests run inside QEMU's vCPU and may keep it from answering


class Guest(qemu.Guest):
    """A guest that can be named, stopped, and made to touch memory."""

    def __init__(self, name, size_bytes, image=IMAGE, append="", initrd=None, ram="private",
                 boot="pvh"):
        extra = ("-initrd", initrd) if initrd else ()
        super().__init__(qemu.GuestSpec(image, memory=size_bytes, ram=ram, config=append,
                                        boot=boot, extra=extra))
        self.name = name

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
        else the host does. From schedstat, whose unit is ns."""
        total = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def fill_and_free(self, size_bytes):
        """The guest writes that much memory and gives all of it back to its allocator."""
        got = self.ask(f"fill {size_bytes // MIB}M", ANSWER_LIMIT_S, event="fill").number("bytes")
        if got is None or got < size_bytes:
            raise ToolError(f"{self.name} filled {got} bytes, not {size_bytes}")
        self.ask("free", ANSWER_LIMIT_S, event="free")
