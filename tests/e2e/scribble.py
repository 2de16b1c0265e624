# SPDX-License-Identifier: BSD-2-Clause
"""A device that lies about its rings: with the guest stopped, write nonsense into the rings that QEMU
says it uses now, through the RAM file.

The used ring is the device's own: it may hold anything. Of the descriptors and the available ring a
device may only get to read what names no RAM: a false address that exists, a longer buffer or an old
request replayed would have QEMU erase memory of others, which no guest can prevent. So what is written
there is an address beyond RAM, length 0, a descriptor that follows itself, heads and indices out of range.
"""

import os
import struct

from host.host_memory import PAGE

BEYOND = 1 << 46  # an address without RAM behind it
SPLIT_KINDS = ("used-index", "used-entry", "used-flags", "avail-event", "used-all", "desc-address",
               "desc-length", "desc-loop", "desc-next", "desc-flags", "avail-index", "avail-head",
               "avail-flags", "used-event")
PACKED_KINDS = ("desc-address", "desc-length", "desc-id", "desc-flags", "device-event", "driver-event")
DESC, NEXT, INDIRECT = 16, 1, 4


class Scribbler:
    """Writes to the rings of one guest (driven.Driven)."""

    def __init__(self, guest, rng):
        self.guest, self.rng = guest, rng
        [self.path] = [device["path"] for device in guest.qmp.execute("x-query-virtio")
                       if device["name"] == "virtio-balloon"]
        self.is_packed = ",packed=on" in guest.case.device
        self.kinds = PACKED_KINDS if self.is_packed else SPLIT_KINDS

    def once(self, kind=None, queue=None):
        """One piece of nonsense; the kind, or None where no ring was in use at this moment."""
        kind = kind or self.rng.choice(self.kinds)
        queue = self.rng.choice((0, 0, 1, 1, 2)) if queue is None else queue
        qmp = self.guest.qmp
        qmp.execute("stop")  # else the ring might be freed between the question and the write
        try:
            ring = qmp.execute("x-query-virtio-queue-status", path=self.path, queue=queue)
            if not ring["vring-desc"]:
                return None
            write = self._packed if self.is_packed else self._split
            write(kind, ring)
        finally:
            qmp.execute("cont")
        return kind

    def _put(self, address, form, *values):
        data = struct.pack(form, *values)
        file = self.guest.guest.ram_file.fd
        assert PAGE <= address and address + len(data) <= self.guest.memory
        assert os.pwrite(file, data, address) == len(data)

    def _split(self, kind, ring):
        rng, size = self.rng, ring["vring-num"]
        slot = rng.randrange(size)
        desc = ring["vring-desc"] + slot * DESC
        avail, used = ring["vring-avail"], ring["vring-used"]
        word = rng.choice((0, 1, 0xFFFF, rng.randrange(1 << 16)))
        long = rng.choice((0, size, 0xFFFFFFFF, rng.randrange(size), rng.randrange(1 << 32)))
        if kind == "used-index":
            self._put(used + 2, "<H", word)
        elif kind == "used-entry":
            self._put(used + 4 + slot * 8, "<II", long, rng.randrange(1 << 32))
        elif kind == "used-flags":
            self._put(used, "<H", word)
        elif kind == "avail-event":
            self._put(used + 4 + size * 8, "<H", word)
        elif kind == "used-all":
            self._put(used, f"{6 + size * 8}s", rng.randbytes(6 + size * 8))
        elif kind == "avail-index":  # further than the ring is long: QEMU must not believe it
            far = ring["last-avail-idx"] + rng.randrange(size + 1, 1 << 15)
            self._put(avail + 2, "<H", far & 0xFFFF)
        elif kind == "avail-head":
            self._put(avail + 4 + slot * 2, "<H", rng.randrange(size, 1 << 16))
        elif kind == "avail-flags":
            self._put(avail, "<H", word)
        elif kind == "used-event":
            self._put(avail + 4 + size * 2, "<H", word)
        else:
            self._descriptor(kind, desc, rng.randrange(size, 1 << 16), slot)

    def _descriptor(self, kind, desc, outside, slot):
        address = BEYOND + self.rng.randrange(1 << 30) * PAGE
        if kind == "desc-address":
            self._put(desc, "<Q", address)
        elif kind == "desc-length":
            self._put(desc + 8, "<I", 0)
        elif kind == "desc-loop":
            self._put(desc + 12, "<HH", NEXT, slot)
        elif kind == "desc-next":
            self._put(desc + 12, "<HH", NEXT, outside)
        else:  # any flags, and nothing behind them
            flags = self.rng.randrange(1 << 16) | INDIRECT
            self._put(desc, "<QIHH", address, self.rng.randrange(1 << 32), flags, outside)

    def _packed(self, kind, ring):
        """The one ring is the device's to write, but what QEMU takes for a request must name no RAM."""
        rng = self.rng
        desc = ring["vring-desc"] + rng.randrange(ring["vring-num"]) * DESC
        if kind == "desc-address":
            self._put(desc, "<Q", BEYOND + rng.randrange(1 << 30) * PAGE)
        elif kind == "desc-length":
            self._put(desc + 8, "<I", 0)
        elif kind == "desc-id":
            self._put(desc + 12, "<H", rng.randrange(1 << 16))
        elif kind == "desc-flags":
            self._put(desc, "<QIHH", BEYOND, rng.randrange(1 << 32), rng.randrange(1 << 16),
                      rng.randrange(1 << 16))
        else:
            area = ring["vring-used" if kind == "device-event" else "vring-avail"]
            self._put(area, "<HH", rng.randrange(1 << 16), rng.randrange(1 << 16))
