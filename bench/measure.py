# SPDX-License-Identifier: BSD-2-Clause
"""The clocks: one balloon move of one guest, watched from the host.

A move begins when the QMP command `balloon` is sent and ends when `query-balloon` equals the target,
asked every 2 ms (t_actual). Beside it t_rss, when the host had its memory back: 99 % of what QEMU's
resident memory fell by during the move. It comes from the process' counters, read by a thread of
its own, because QMP does not answer while a request runs.
"""

import os
import threading
import time
import typing

from guests import MIB, ToolError

PAGE = 4096
POLL_S = 0.002
RSS_POLL_S = 0.001
RSS_SHARE = 0.99  # of the fall: QEMU itself grows and shrinks a little meanwhile
MOVE_LIMIT_S = 120
STILL_S = 3
STILL_LIMIT_S = 300


class MoveError(ToolError):
    """A guest did not reach its target in time."""


class Path(typing.NamedTuple):
    """A move as it was seen: (seconds since its command, `actual`) at each look."""

    looks: list

    @property
    def seconds(self):
        return self.looks[-1][0]

    def passed(self, share):
        """Seconds until that share of the way was covered."""
        start, end = self.looks[0][1], self.looks[-1][1]
        return next(at for at, actual in self.looks
                    if abs(actual - start) >= share * abs(end - start))


def timed_move(qmp, target_bytes, clock=time.monotonic, sleep=time.sleep, until=None):
    """Sets the target and looks until it is reached, or until `until`(actual) is true."""
    looks = [(0.0, qmp.query_balloon())]
    start = clock()
    qmp.balloon(target_bytes)
    while True:
        actual = qmp.query_balloon()
        elapsed = clock() - start
        looks.append((elapsed, actual))
        if actual == target_bytes or (until and until(actual)):
            return Path(looks)
        if elapsed > MOVE_LIMIT_S:
            raise MoveError(f"target {target_bytes // MIB} MiB not reached in {MOVE_LIMIT_S} s: "
                            f"actual is {actual / MIB:.2f} MiB")
        sleep(POLL_S)


def settle(qmp, clock=time.monotonic, sleep=time.sleep):
    """(bytes of the guest, seconds until its last move) when `actual` has moved and then stood
    still for STILL_S: for targets that cannot be reached."""
    start = clock()
    moved = None
    last = qmp.query_balloon()
    while moved is None or clock() - moved < STILL_S:
        if clock() - start > STILL_LIMIT_S:
            raise MoveError(f"`actual` never moved, or still moves after {STILL_LIMIT_S} s")
        sleep(0.05)
        actual = qmp.query_balloon()
        if actual != last:
            last, moved = actual, clock()
    return last, moved - start


class RssWatch:
    """Looks at a process' resident bytes every millisecond while it is entered."""

    def __init__(self, pid):
        self._path = f"/proc/{pid}/statm"
        self._looks = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()

    def fall(self, start, end):
        """(bytes, seconds until nearly all of them) of the fall between two monotonic times."""
        looks = list(self._looks)
        before = [(0.0, resident) for at, resident in looks if at <= start][-1:]
        return fall_of(before + [(at - start, resident) for at, resident in looks
                                 if start < at <= end])

    def _run(self):
        page = os.sysconf("SC_PAGE_SIZE")
        with open(self._path, "rb", buffering=0) as file:
            while not self._ends.wait(RSS_POLL_S):
                resident = int(os.pread(file.fileno(), 256, 0).split()[1]) * page
                self._looks.append((time.monotonic(), resident))


def fall_of(looks):
    """(bytes that the last look is below the first, seconds of the look that saw RSS_SHARE of
    them) of [(seconds, resident)]; seconds are None when nothing fell."""
    if not looks:
        return 0, None
    fallen = looks[0][1] - looks[-1][1]
    if fallen <= 0:
        return 0, None
    limit = looks[0][1] - RSS_SHARE * fallen
    return fallen, next(at for at, resident in looks if resident <= limit)
