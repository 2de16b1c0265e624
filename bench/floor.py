# SPDX-License-Identifier: BSD-2-Clause
"""What the host itself takes for a page: the balloon device of a machine that stands still.

One round starts QEMU as for a guest, but stopped, and drives the device through qtest. A request's
cost is the time of its doorbell, which QEMU answers when the work is done, less the time of a look at
the used index right before it: that is the way there and back without any work. (Looks taken behind
the work were longer than the doorbell on a busy host; why was not found out.)
"""

import shutil
import socket
import statistics
import struct
import tempfile
import time

import guests
from qtest import Qtest
from virtio_by_qtest import DEFLATE, INFLATE, REPORTING, WRITE, Balloon, QtestError

MIB = guests.MIB
PAGE = 4096
BLOCK = 2 * MIB
FRAMES = BLOCK // PAGE  # frame numbers of a request
TOUCH = 64 << 10  # written by one command: more, and QEMU takes a new buffer for it, whose pages it must touch as well
RANGES = 32  # of a report: what fits QEMU's reporting queue
MEMORY = 512 * MIB
RINGS_AT = 32 * MIB
NUMBERS_AT = 48 * MIB
AREA = 128 * MIB  # moved by each figure; small enough for every host, 64 requests
AREAS = (128 * MIB, 256 * MIB)  # one for each way: a page once discarded alone is never huge again

INFLATE_TOUCHED, INFLATE_UNTOUCHED = "inflate touched", "inflate untouched"
REPORT_TOUCHED, INFLATE_REPORTED = "report touched", "inflate after report"
DEFLATE_BLOCKS = "deflate"
TOUCH_INFLATED, TOUCH_REPORTED = "touch after inflate", "touch after report"
FIGURES = (INFLATE_TOUCHED, INFLATE_UNTOUCHED, REPORT_TOUCHED, INFLATE_REPORTED, DEFLATE_BLOCKS,
           TOUCH_INFLATED, TOUCH_REPORTED)


class StoppedMachine(guests.Guest):
    """The machine of the benches, whose CPU never runs; `qtest` drives it. `extra` are words for QEMU."""

    def __init__(self, backing, image, extra=()):
        self._socket_folder = tempfile.mkdtemp(prefix="aerostat-qtest-")
        path = f"{self._socket_folder}/socket"
        super().__init__("floor", image, backing, memory=MEMORY,
                         balloon="virtio-balloon-pci,free-page-reporting=on",
                         extra=("-S", "-qtest", f"unix:{path},server=on,wait=off",
                                "-qtest-log", "/dev/null", *extra))
        self.qtest = None

    def start(self):
        super().start()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(guests.ANSWER_LIMIT_S)
        connection.connect(f"{self._socket_folder}/socket")
        self.qtest = Qtest(connection)

    def stop(self):
        if self.qtest:
            self.qtest.close()
            self.qtest = None
        super().stop()
        shutil.rmtree(self._socket_folder, ignore_errors=True)


def one_round(backing, image=guests.IMAGE):
    """({figure: seconds per page}, share of the touched memory that lay on huge pages). The image
    is loaded as for a guest, but never runs."""
    with StoppedMachine(backing, image) as machine:
        balloon = Balloon(machine.qtest, RINGS_AT)
        for area in AREAS:
            write_numbers(machine.qtest, area)
        first, second = AREAS
        machine.qtest.fill(first, AREA, 0x5A)
        machine.qtest.fill(second, AREA, 0x5A)
        held, huge = machine.ram_held()
        costs = {INFLATE_TOUCHED: by_numbers(balloon, INFLATE, first),
                 DEFLATE_BLOCKS: by_numbers(balloon, DEFLATE, first),
                 INFLATE_UNTOUCHED: by_numbers(balloon, INFLATE, first),
                 REPORT_TOUCHED: by_ranges(balloon, second),
                 INFLATE_REPORTED: by_numbers(balloon, INFLATE, second)}
        left = machine.ram_held()[0]
        if held - left < 2 * AREA:
            raise QtestError(f"the host got {(held - left) >> 20} MiB back, not {2 * AREA >> 20}")
        costs[TOUCH_INFLATED] = by_touch(machine.qtest, first)
        costs[TOUCH_REPORTED] = by_touch(machine.qtest, second)
    return costs, huge / held


def numbers_at(area):
    """Where the frame numbers of an area lie in guest RAM."""
    return NUMBERS_AT + area // PAGE * 4


def write_numbers(qtest, area):
    first = area // PAGE
    numbers = range(first, first + AREA // PAGE)
    qtest.write(numbers_at(area), struct.pack(f"<{len(numbers)}I", *numbers))


def by_numbers(balloon, queue, area):
    """Seconds per page of requests that name each page of the area, a block each."""
    size = FRAMES * 4
    requests = [([(numbers_at(area) + at, size)], 0)
                for at in range(0, AREA // PAGE * 4, size)]
    return cost(balloon.queues[queue], requests) / FRAMES


def by_ranges(balloon, area):
    """Seconds per page of requests that name RANGES whole blocks each."""
    blocks = [(at, BLOCK) for at in range(area, area + AREA, BLOCK)]
    requests = [(blocks[at:at + RANGES], WRITE) for at in range(0, len(blocks), RANGES)]
    return cost(balloon.queues[REPORTING], requests) / (RANGES * FRAMES)


def by_touch(qtest, area, clock=time.perf_counter):
    """Seconds per page of the first write to each block of the area, a second one of the same taken off: that is
    the way there and back and the writing itself."""
    def write(block):
        start = clock()
        for at in range(block, block + BLOCK, TOUCH):
            qtest.fill(at, TOUCH, 0xA5)
        return clock() - start

    return statistics.median(write(at) - write(at) for at in range(area, area + AREA, BLOCK)) / FRAMES


def cost(queue, requests, clock=time.perf_counter):
    """Seconds of the median request, the socket's round trip taken off."""
    work, trip = [], []
    for parts, flags in requests:
        queue.submit(parts, flags)
        start = clock()
        early = queue.is_done()
        looked = clock()
        queue.ring()
        rung = clock()
        if early or not queue.is_done():
            raise QtestError(f"queue {queue.index}: the doorbell's answer is not the work's end")
        trip.append(looked - start)
        work.append(rung - looked)
    return statistics.median(work) - statistics.median(trip)


def medians(rounds):
    """{figure: (median, min, max)} of the costs of several rounds."""
    values = {figure: [costs[figure] for costs in rounds] for figure in FIGURES}
    return {figure: (statistics.median(v), min(v), max(v)) for figure, v in values.items()}
