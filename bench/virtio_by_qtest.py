# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's virtio balloon driven from here, through qtest: no guest, no interrupts.

Does what a driver has to do on virtio-pci modern with split rings (virtio 1.3, 2.7, 3.1, 4.1): find
the device, give its registers an address, negotiate, lay rings into guest RAM, submit, ring the
doorbell, look at the used index. The machine has no firmware and no kernel that ran, so all of its
RAM and of its PCI hole is ours.
"""

import struct

from qtest import QtestError

CONFIG_ADDRESS, CONFIG_DATA = 0xCF8, 0xCFC
BALLOON_IDS = (0x10021AF4, 0x10451AF4)
REGISTERS_AT = 0xD0000000  # in q35's and pc's PCI hole, whatever the RAM size up to 2 GiB
COMMAND_MEMORY_AND_MASTER = 0x6

CAP_VENDOR = 0x09
COMMON, NOTIFY = 1, 2  # kinds of virtio capabilities
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
F_REPORTING, F_VERSION_1 = 5, 32

INFLATE, DEFLATE = 0, 1
REPORTING = 3  # where QEMU puts it when free-page-hint is off: the statistics queue is always there

NEXT, WRITE = 1, 2  # descriptor flags
NO_INTERRUPT = 1
QUEUE_BYTES = 16 << 10  # a ring of 128 with room to spare


class Balloon:
    """The device, running; `rings_at` is where its rings may lie in guest RAM."""

    def __init__(self, qtest, rings_at):
        self.qtest = qtest
        self._rings_at = rings_at
        self._function = self._find()
        self._place_registers()
        self._regions = dict(self._capabilities())
        self._negotiate((1 << F_REPORTING) | (1 << F_VERSION_1))
        common = self._regions[COMMON][0]
        count = qtest.read16(common + 0x12)
        self.queues = {index: self._queue(index) for index in (INFLATE, DEFLATE, REPORTING)
                       if index < count}
        self._status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def _config(self, offset, value=None):
        """A 32-bit word of the function's configuration space, read, or written when given."""
        self.qtest.out32(CONFIG_ADDRESS, 1 << 31 | self._function << 8 | offset)
        if value is None:
            return self.qtest.in32(CONFIG_DATA)
        return self.qtest.out32(CONFIG_DATA, value)

    def _find(self):
        for self._function in range(0, 256, 8):  # function 0 of each device on bus 0
            if self._config(0) in BALLOON_IDS:
                return self._function
        raise QtestError("no virtio balloon on PCI bus 0")

    def _place_registers(self):
        """The modern registers lie in one 64-bit BAR, the fourth and fifth word of six."""
        self._config(0x20, REGISTERS_AT)
        self._config(0x24, 0)
        self._config(0x04, COMMAND_MEMORY_AND_MASTER)

    def _capabilities(self):
        """(kind, (address, multiplier)) of each virtio capability; the multiplier is NOTIFY's."""
        at = self._config(0x34) & 0xFC
        while at:
            head = self._config(at)
            kind = head >> 24
            if head & 0xFF == CAP_VENDOR and kind in (COMMON, NOTIFY):
                yield kind, (REGISTERS_AT + self._config(at + 8), self._config(at + 16))
            at = head >> 8 & 0xFC

    def _status(self, value):
        self.qtest.write8(self._regions[COMMON][0] + 0x14, value)

    def _negotiate(self, wanted):
        """Of the features that are offered, those that are wanted."""
        common = self._regions[COMMON][0]
        for status in (0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER):
            self._status(status)
        for word in (0, 1):
            self.qtest.write32(common + 0x00, word)
            offered = self.qtest.read32(common + 0x04)
            self.qtest.write32(common + 0x08, word)
            self.qtest.write32(common + 0x0C, offered & wanted >> 32 * word & 0xFFFFFFFF)
        self._status(ACKNOWLEDGE | DRIVER | FEATURES_OK)
        if not self.qtest.read8(common + 0x14) & FEATURES_OK:
            raise QtestError("the balloon refuses our features")

    def _queue(self, index):
        qtest, common = self.qtest, self._regions[COMMON][0]
        qtest.write16(common + 0x16, index)
        size = qtest.read16(common + 0x18)
        notify, multiplier = self._regions[NOTIFY]
        doorbell = notify + qtest.read16(common + 0x1E) * multiplier
        queue = Queue(qtest, index, size, self._rings_at + index * QUEUE_BYTES, doorbell)
        for register, area in ((0x20, queue.table), (0x28, queue.available), (0x30, queue.used)):
            qtest.write32(common + register, area)
            qtest.write32(common + register + 4, 0)
        qtest.write16(common + 0x1C, 1)
        return queue


class Queue:
    """A split ring with one request in it at a time, at descriptor 0."""

    def __init__(self, qtest, index, size, at, doorbell):
        self.index, self.size = index, size
        self.table, self.available, self.used = at, at + (4 << 10), at + (8 << 10)
        self._qtest, self._doorbell = qtest, doorbell
        self._next = 0  # free-running, as the ring's own index
        qtest.fill(at, QUEUE_BYTES, 0)
        qtest.write16(self.available, NO_INTERRUPT)

    def submit(self, parts, flags):
        """Make a chain of (address, bytes) available; the device does not look before ring()."""
        last = len(parts) - 1
        table = b"".join(struct.pack("<QIHH", address, size, flags | (NEXT if i < last else 0),
                                     i + 1 if i < last else 0)
                         for i, (address, size) in enumerate(parts))
        self._qtest.write(self.table, table)
        self._qtest.write16(self.available + 4 + 2 * (self._next % self.size), 0)
        self._next = (self._next + 1) & 0xFFFF
        self._qtest.write16(self.available + 2, self._next)

    def ring(self):
        """The doorbell; QEMU answers when it has done the request."""
        self._qtest.write16(self._doorbell, self.index)

    def is_done(self):
        return self._qtest.read16(self.used + 2) == self._next
