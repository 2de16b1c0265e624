# SPDX-License-Identifier: BSD-2-Clause
"""Suspend to RAM and back: the balloon is empty meanwhile and meets its target again, an app goes on as if
nothing had been, machines without S3 say so. A sleep is half a second by PVH, four by EFI."""

import io
import time

import pytest
from cases import BALLOON, SLEEPLESS, SUSPEND_APPS, SUSPEND_PLUG, SUSPENDS
from host.errors import MIB

pytestmark = pytest.mark.e2e
SLEEP_TIMEOUT = 30
ASLEEP_S = 0.2
CYCLES = 5


def fall_asleep(guest):
    """`suspend`, until QEMU says that the guest sleeps."""
    seen = len(guest.qmp.events)
    guest.guest.send("suspend")
    deadline = time.monotonic() + SLEEP_TIMEOUT
    while guest.qmp.execute("query-status")["status"] != "suspended":
        assert time.monotonic() < deadline, "the guest does not fall asleep"
        time.sleep(0.01)
    assert "SUSPEND" in [event["event"] for _, event in list(guest.qmp.events)[seen:]]


def wake(guest, since):
    """system_wakeup, until the guest says that it is back."""
    guest.qmp.execute("system_wakeup")
    resumed = guest.guest.wait_for(lambda e: e.has(event="resumed"), SLEEP_TIMEOUT, since)
    assert len(guest.events(since, event="suspended")) == 1
    times = [event.t for event in guest.events()]
    assert times == sorted(times), "time went backwards"
    return resumed


def cycle(guest, asleep=ASLEEP_S):
    """Asleep and back; the event that says so."""
    since = guest.guest.seen
    fall_asleep(guest)
    assert guest.qmp.query_balloon() == guest.memory, "the host does not have all of it back"
    time.sleep(asleep)
    resumed = wake(guest, since)
    assert resumed.number("slept_ns") >= asleep * 1e9, "time asleep does not count"
    return resumed


def reach(guest, target):
    """The target that the host set before the sleep is met again."""
    deadline = time.monotonic() + 30
    while guest.qmp.query_balloon() != target:
        assert time.monotonic() < deadline, f"actual {guest.qmp.query_balloon()}, not {target}"
        time.sleep(0.01)


def check_filled(guest):
    """Give back what `fill` took: each page still has what was written to it."""
    since = guest.guest.seen
    guest.guest.ask("free", timeout=30, event="free")
    guest.mem()
    assert guest.events(since, event="error") == []


@pytest.mark.parametrize("case", SUSPENDS, ids=[case.name for case in SUSPENDS])
def test_the_target_is_met_again(boot, case):
    log = io.BytesIO()
    with boot(case, serial_log=log) as guest:
        guest.fill_and_free()
        target = case.memory // 2
        guest.go_to(target)
        before = guest.mem()
        guest.guest.ask("fill 100%", timeout=30, event="fill")  # of what the balloon left
        since = guest.guest.seen
        cycle(guest)
        assert guest.events(since, balloon="virtio", actual="0"), "no empty balloon was told"
        assert len(guest.events(since, balloon="virtio", event="detached")) == 1
        check_filled(guest)
        reach(guest, target)
        assert len(guest.events(since, balloon="virtio", event="attached")) == 1
        assert guest.check_size() == target
        guest.check_holes()
        assert guest.mem("mem check").number("kernel") <= before.number("kernel") + 128 * 1024
        guest.go_to(target + 4 * MIB)  # in both directions, by an interrupt or by polling
        guest.go_to(target - 4 * MIB)
        guest.check_holes()
        says = b"framebuffer: its mode was lost" in log.getvalue()
        assert says == ("VGA" in case.extra)


@pytest.mark.parametrize("case, lacks", SLEEPLESS, ids=[case.name for case, _ in SLEEPLESS])
def test_a_machine_that_cannot_sleep_says_why(boot, case, lacks):
    with boot(case) as guest:
        error = guest.guest.ask("suspend", event="error")
        assert error.get("command") == "suspend"
        assert lacks in error.get("reason")
        assert guest.qmp.execute("query-status")["status"] == "running"
        if case.balloon:
            guest.go_to(case.memory // 2)
        assert guest.events(event="suspended") == []


def test_what_comes_while_it_falls_asleep_is_taken_in_after_it(boot):
    """A balloon of 4 GiB takes a while to empty. A device that started meanwhile would run into the sleep."""
    with boot(SUSPEND_PLUG) as guest:
        guest.go_to(64 * MIB)
        since = guest.guest.seen
        guest.guest.send("suspend")
        # not just any report: the last one of going to 64 MiB may come late
        guest.guest.wait_for(lambda e: e.has(balloon="virtio", target="0"), 10, since)
        assert guest.qmp.execute("query-status")["status"] == "running"
        guest.qmp.execute("device_add", driver="virtio-serial-pci", id="late", bus="pci.0")
        guest.guest.wait_for(lambda e: e.has(event="suspended"), SLEEP_TIMEOUT, since)
        time.sleep(ASLEEP_S)
        resumed = wake(guest, since)
        plugged = guest.guest.wait_for(lambda e: e.has(event="plugged"), 10, since)
        assert plugged.get("result") == "OK"
        assert plugged.t > resumed.t
        reach(guest, 64 * MIB)


@pytest.mark.alone
def test_many_times_in_a_row(boot, rng):
    """Each time with another target, also set while it sleeps; memory that was filled stays as it was. With more
    CPUs, which firmware starts at each wake, sometimes late: they must not run through memory of ours."""
    with boot(BALLOON, smp=4) as guest:
        guest.guest.ask("fill 32M", timeout=30, event="fill")
        kernel = guest.mem().number("kernel")
        for _ in range(CYCLES):
            since = guest.guest.seen
            guest.go_to(rng.randrange(16, 24) * 4 * MIB)
            fall_asleep(guest)
            target = rng.randrange(16, 24) * 4 * MIB
            guest.qmp.balloon(target)  # nobody hears it
            resumed = wake(guest, since)
            assert resumed.number("resume_ns") < 2e9
            reach(guest, target)
        assert abs(guest.mem("mem check").number("kernel") - kernel) <= 256 * 1024
        guest.check_holes()
        check_filled(guest)


def test_while_the_balloon_moves(boot):
    with boot(BALLOON) as guest:
        guest.fill_and_free()
        for target in (32 * MIB, 120 * MIB, 40 * MIB):
            guest.qmp.balloon(target)
            time.sleep(0.02)  # some of the way
            cycle(guest)
            reach(guest, target)
            guest.check_size()
            guest.check_holes()


def test_without_a_balloon_and_detached(boot):
    with boot(BALLOON) as guest:
        guest.guest.ask("balloon detach", balloon="virtio", event="detached")
        since = guest.guest.seen
        cycle(guest)
        assert guest.events(since, event="attached") == [], "what was detached stays so"
        guest.guest.ask("balloon attach", balloon="virtio", event="attached")
        guest.go_to(64 * MIB)


def test_a_script_waits_for_the_wake(boot):
    """What follows `suspend` in a script, or is typed meanwhile, runs after it; and the sleep after the job."""
    with boot(BALLOON) as guest:
        since = guest.guest.seen
        for line in ("fill 40M", "suspend", "free"):
            guest.guest.send(line)
        deadline = time.monotonic() + SLEEP_TIMEOUT
        while guest.qmp.execute("query-status")["status"] != "suspended":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert guest.events(since, event="free") == []
        wake(guest, since)
        freed = guest.guest.wait_for(lambda e: e.has(event="free"), 20, since)
        assert freed.number("bytes") == 40 * MIB


@pytest.mark.parametrize("line", ["churn --live=50% --seconds=4s", "stream --size=30% --seconds=4s",
                                  "touch --size=40% --pattern=zipf --seconds=4s",
                                  "trace --builtin=vector --seconds=4s"])
def test_a_running_app_survives(boot, line):
    """Its memory is checked by itself; the balloon takes what it can before and after."""
    with boot(SUSPEND_APPS) as guest:
        guest.go_to(100 * MIB)
        since = guest.guest.seen
        guest.guest.ask(f"run {line}", event="app_start")
        time.sleep(0.5)
        for _ in range(2):
            cycle(guest)
            time.sleep(0.2)
        reach(guest, 100 * MIB)
        assert guest.events(since, event="app_exit") == [], "the app ended before the last sleep"
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 30, since)
        assert (end.get("by"), end.number("code")) == ("exit", 0), end
        assert guest.events(since, event="workload_wrong") == []
        assert len(guest.events(since, event="resumed")) == 2
        guest.check_size()
        guest.check_holes()


def test_registers_of_an_app_survive(boot, build):
    """All vector registers hold known words, and sums go on to the last bit (tests/apps/fpu)."""
    with boot(SUSPEND_APPS, image=str(build / "aerostat-test.elf")) as guest:
        since = guest.guest.seen
        guest.guest.ask("run fpu 3000", event="app_start")
        for _ in range(3):
            cycle(guest)
            time.sleep(0.1)
        assert guest.events(since, event="app_exit") == [], "the app ended before the last sleep"
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 30, since)
        assert (end.get("by"), end.number("code")) == ("exit", 0), end
