# SPDX-License-Identifier: BSD-2-Clause
"""Every frame is somewhere, at any moment: while the target changes thousands of times and an app allocates
and frees, the guest's books add up behind every acknowledgement of the host, and at rest they agree with `actual`
and with the RAM file."""

import time

import pytest
from cases import Case
from driven import KERNEL_SWING
from host.errors import MIB
from host.host_memory import PAGE

pytestmark = pytest.mark.e2e
APP = "churn --live=30% --seconds=5s"
LOW = 80 * MIB  # above what the app needs
PACE_S = 0.02  # at most, between two changes: some are overtaken by the next, some met
REST = 50  # target changes between two looks at the whole
CHANGES, SOAK_CHANGES = 200, 10000
STORM_S, SOAK_STORM_S = 2, 60
CASES = (
    Case("transitional", memory=128 * MIB),
    Case("packed-reporting", memory=128 * MIB, device="virtio-balloon-pci,packed=on,free-page-reporting=on"),
)
STORMY = Case("stormy", memory=128 * MIB)


class App:
    """An app that runs all the time: started again whenever it is through, and it must be content."""

    def __init__(self, guest):
        self.guest, self.ends = guest, 0
        self._start()

    def _start(self):
        self.guest.guest.ask(f"run {APP}", 30, event="app_start")

    def look(self):
        """One that ended must have ended well."""
        ends = self.guest.events(event="app_exit")[self.ends:]
        for end in ends:
            assert (end.get("by"), end.number("code")) == ("exit", 0), end
        self.ends += len(ends)
        return bool(ends)

    def keep_going(self):
        if self.look():
            self._start()

    def end(self):
        deadline = time.monotonic() + 60
        while not self.look():
            assert time.monotonic() < deadline, "the app does not end"
            time.sleep(0.05)
        assert self.guest.events(event="workload_wrong") == []


@pytest.fixture
def boot_books(boot, build):
    """As boot, with the image that looks at its books behind every acknowledgement."""
    return lambda case: boot(case, image=str(build / "aerostat-test.elf"))


def random_target(guest, rng):
    return rng.randrange(LOW // PAGE, guest.memory // PAGE + 1) * PAGE


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_nothing_is_lost(boot_books, rng, soaking, case):
    changes, start = SOAK_CHANGES if soaking else CHANGES, time.monotonic()
    with boot_books(case) as guest:
        before = guest.mem("mem check")
        app = App(guest)
        for change in range(changes):
            guest.qmp.balloon(random_target(guest, rng))
            time.sleep(rng.random() * PACE_S)
            if change % REST == 0:
                check_at_rest(guest, rng)
                app.keep_going()
        app.end()
        check_at_rest(guest, rng)
        guest.go_to(case.memory, 60)
        after = guest.mem("mem check")
        assert after.number("ballooned") == after.number("app") == 0
        assert after.number("managed") == before.number("managed")
        assert guest.events(balloon="virtio", event="broken") == []
        checks = check_books(guest)
    print(f"{case.name}: {changes} changes, the books added up behind {checks}, "
          f"{time.monotonic() - start:.0f} s")


def check_books(guest):
    """Behind each acknowledgement of the host all was somebody's: what the kernel had, and how often."""
    last = guest.events(event="books")[-1]
    least, most = (last.number(word) * PAGE for word in ("least", "most"))
    assert most - least <= KERNEL_SWING, last
    return f"{last.number('checks')} acknowledgements (kernel {least >> 10}–{most >> 10} KiB)"


def check_at_rest(guest, rng):
    guest.go_to(random_target(guest, rng), 60)
    guest.check_size()
    guest.check_holes()


def test_stopped_and_continued_all_the_time(boot, rng, soaking):
    with boot(STORMY) as guest:
        guest.mem()
        app, count = App(guest), 0
        end = time.monotonic() + (SOAK_STORM_S if soaking else STORM_S)
        while time.monotonic() < end:
            guest.qmp.execute("stop")
            guest.qmp.balloon(random_target(guest, rng))
            guest.qmp.execute("cont")
            count += 1
            if count % REST == 0:
                guest.mem()
                app.keep_going()
        check_at_rest(guest, rng)
        app.end()
        assert guest.events(balloon="virtio", event="broken") == []
        print(f"stopped {count} times")
