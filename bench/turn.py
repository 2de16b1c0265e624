# SPDX-License-Identifier: BSD-2-Clause
"""What one turn of one guest measures, in this order; the same for every guest.

"Touched" memory was written by the guest and freed: the host has backing for it. After a shrink and
a return it has none: the second shrink moves untouched memory. A shrink of touched memory starts
right behind the answer to `free`, before any reporting of free pages that waits a while.
"""

import time
import typing

import measure
from guests import MIB, ToolError

PAUSE_S = 0.3  # before other moves: what a guest still does after the last shall not count
TRIES = 3
GAP_S = 0.1  # from the answer to `free` to the shrink, at most: Linux begins to report 2 s later
WATCH_S = 0.01  # the watch needs a look before the move
REVERSE_AT = 0.25  # of the way: late enough to be under way, early enough to see it
SHRINK_TOUCHED, SHRINK_UNTOUCHED = "shrink touched", "shrink untouched"
RETURN, RETURN_TOUCH = "return", "return + touch"
STEP_DOWN, STEP_UP, REVERSED = "step down", "step up", "reversed target"


class Plan(typing.NamedTuple):
    """Bytes: of the whole guest, of the small one, of what it writes and frees, of a step."""

    high: int
    low: int
    fill: int
    step: int = 256 * MIB


class Turn:
    """One guest's part of a pair: run() gives {case: {figure: seconds or bytes}}."""

    def __init__(self, guest, plan, sleep=time.sleep):
        self._guest, self._plan, self._sleep = guest, plan, sleep

    def run(self):
        plan = self._plan
        cases = {SHRINK_TOUCHED: self._shrink_touched()}
        cases[RETURN] = self._return()
        cases[SHRINK_UNTOUCHED] = self._move(plan.low)
        cases[RETURN_TOUCH] = self._return_and_touch()
        self._guest.free()
        cases[STEP_DOWN] = self._move(plan.high - plan.step, pause=False)
        cases[STEP_UP] = self._move(plan.high)
        cases[REVERSED] = self._reverse()
        return cases

    def _move(self, target, pause=True):
        if pause:
            self._sleep(PAUSE_S)
        cpu_before = self._guest.cpu_seconds()
        path = measure.timed_move(self._guest.qmp, target)
        return {"t_actual": path.seconds, "t63": path.passed(0.63), "t95": path.passed(0.95),
                "cpu": self._guest.cpu_seconds() - cpu_before}

    def _shrink_touched(self):
        plan, guest = self._plan, self._guest
        guest.fill(plan.fill)
        freed = guest.free()
        with measure.RssWatch(guest.pid) as watch:
            self._sleep(WATCH_S)
            start = time.monotonic()
            figures = self._move(plan.low, pause=False)
            end = time.monotonic()
        figures["t_gap"] = start - freed.host
        figures["fallen"], figures["t_rss"] = watch.fall(start, end)
        return figures

    def _return(self):
        """Guests that say when the memory was usable, by their own clock, are listened to."""
        seen = self._guest.events_since(0)[1]
        figures = self._move(self._plan.high)
        self._sleep(PAUSE_S)
        for event in self._guest.events_since(seen)[0]:
            if event.has(event="return"):
                figures.update(t_first=event.number("first_ns") / 1e9,
                               t_all=event.number("all_ns") / 1e9)
        return figures

    def _return_and_touch(self):
        self._sleep(PAUSE_S)
        start = time.monotonic()
        cpu_before = self._guest.cpu_seconds()
        measure.timed_move(self._guest.qmp, self._plan.high)
        self._guest.fill(self._plan.fill)
        return {"t_touched": time.monotonic() - start,
                "cpu": self._guest.cpu_seconds() - cpu_before}

    def _reverse(self):
        """The target goes down, and up again once a quarter of the way is covered."""
        plan, guest = self._plan, self._guest
        guest.fill_and_free(plan.fill)
        turning = plan.high - int(REVERSE_AT * (plan.high - plan.low))
        down = measure.timed_move(guest.qmp, plan.low, until=lambda actual: actual <= turning)
        up = measure.timed_move(guest.qmp, plan.high)
        return {"t_actual": up.seconds, "overshoot": overshoot(down, up)}


def in_time(guest, plan, turn=Turn):
    """A turn whose shrink began in time; the host may have been busy in between, then another is tried."""
    for _ in range(TRIES):
        cases = turn(guest, plan).run()
        if cases[SHRINK_TOUCHED]["t_gap"] <= GAP_S:
            return cases
    raise ToolError(f"{guest.name}: more than {GAP_S * 1e3:.0f} ms from free to shrink, {TRIES} times in a row")


def overshoot(down, up):
    """Bytes that `actual` still fell by after the target had been raised."""
    return max(0, down.looks[-1][1] - min(actual for _, actual in up.looks))
