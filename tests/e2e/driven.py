# SPDX-License-Identifier: BSD-2-Clause
"""A booted guest and the questions the cases ask it, each checking what must always hold."""

import time

from host.host_memory import PAGE, cpu_seconds, overlap

READY_TIMEOUT = {"pvh": 20, "efi": 90}
KERNEL_SWING = 128 << 10  # frame maps and page sets of blocks in pieces come and go


class Driven:
    """A booted guest and the questions the cases ask."""

    def __init__(self, guest, case):
        self.guest, self.case, self.qmp = guest, case, guest.qmp
        self.memory = case.memory
        self.kernel_bytes = self.table_bytes = None

    def wait_ready(self, since=0):
        return self.guest.wait_for(lambda e: e.has(event="ready"), READY_TIMEOUT[self.case.boot], since, "event=ready")

    def events(self, since=0, **words):
        return [e for e in self.guest.events_since(since)[0] if e.has(**words)]

    def mem(self, command="mem"):
        """The answer to `mem`, after checking that every frame is counted once: the states add up
        to the total, and what is nobody else's stays the little the kernel has always had. To be called first
        before there is an app: the kernel has its page tables."""
        event = self.guest.ask(command, event="mem")
        states = ("free", "filled", "ballooned", "hinted", "app", "kernel")
        assert sum(event.number(state) for state in states) == event.number("total"), event
        kernel, tables = event.number("kernel"), event.number("page_tables")
        if self.kernel_bytes is None:
            assert event.number("app") == 0, "the first look came while an app was there"
            self.kernel_bytes, self.table_bytes = kernel, tables
        of_app = tables - self.table_bytes if event.number("app") else 0
        assert abs(kernel - of_app - self.kernel_bytes) <= KERNEL_SWING, event
        return event

    def run(self, line, timeout=30, code=0):
        """Run an app to its end, which must be by exit with that code; returns event=app_exit."""
        end = self.guest.ask(f"run {line}", timeout, event="app_exit")
        assert (end.get("by"), end.number("code")) == ("exit", code), end
        assert end.get("app") == line.split()[0]
        return end

    def fill_and_free(self, part="80%"):
        """Have the host give memory to the guest: without it holes would prove nothing."""
        filled = self.guest.ask(f"fill {part}", timeout=60, event="fill").number("bytes")
        assert self.guest.ask("free", timeout=60, event="free").number("bytes") == filled
        return filled

    def go_to(self, target, timeout=30):
        """Set the target and wait until query-balloon says exactly that."""
        self.qmp.balloon(target)
        deadline = time.monotonic() + timeout
        while (actual := self.qmp.query_balloon()) != target:
            assert time.monotonic() < deadline, f"actual {actual} is not the target {target}"
            time.sleep(0.005)

    def settle(self, quiet=1.0, timeout=60):
        """Wait until `actual` has stood still for `quiet` seconds; returns it."""
        deadline, last, since = time.monotonic() + timeout, None, 0.0
        while True:
            actual = self.qmp.query_balloon()
            if actual != last:
                last, since = actual, time.monotonic()
            elif time.monotonic() - since >= quiet:
                return actual
            assert time.monotonic() < deadline, "actual does not come to rest"
            time.sleep(0.02)

    def map(self):
        """`balloon map` as (first frame, frames), ascending."""
        return self.maps("virtio")["virtio"]

    def maps(self, *balloons):
        """`balloon map` by balloon; all that are there, in the order in which they answer."""
        since = self.guest.seen
        self.guest.ask("balloon map", timeout=30, balloon=balloons[-1], event="map_end")
        return {balloon: self._map_of(balloon, since) for balloon in balloons}

    def _map_of(self, balloon, since):
        ranges = []
        for event in self.events(since, balloon=balloon):
            if event.get("map"):
                start, _, frames = event.get("map").partition("+")
                ranges.append((int(start, 0), int(frames)))
        (end,) = self.events(since, balloon=balloon, event="map_end")
        assert end.number("ranges") == len(ranges)
        assert end.number("frames") == sum(frames for _, frames in ranges)
        assert ranges == sorted(ranges)
        return ranges

    def check_holes(self):
        """Every ballooned frame is a hole in the RAM file. Returns the map."""
        ranges = self.map()
        filled = overlap(ranges, self.guest.ram_file.data())
        assert filled == 0, f"{filled} ballooned frames have backing"
        return ranges

    def check_size(self):
        """query-balloon, the map and the page states say the same."""
        actual = self.qmp.query_balloon()
        held = sum(frames for _, frames in self.map()) * PAGE
        assert self.memory - held == actual
        memory = self.mem()
        assert memory.number("ballooned") == held
        may_take = "deflate-on-oom=on" in self.case.device and "balloon.oom=off" not in self.case.config
        lost = 0 if may_take else held  # R-V-44
        assert memory.number("total") - memory.number("managed") == lost
        return actual

    def cpu_share(self, seconds=1.0, windows=3):
        """Part of a host core QEMU uses: the median of some windows."""
        shares = []
        for _ in range(windows):
            start, used = time.monotonic(), cpu_seconds(self.guest.pid)
            time.sleep(seconds)
            shares.append((cpu_seconds(self.guest.pid) - used) / (time.monotonic() - start))
        return sorted(shares)[windows // 2]
