# SPDX-License-Identifier: BSD-2-Clause
"""Whole blocks out of a balloon that took what it found: its frames move into few blocks, and the host sees the
same balloon all the time, in other places."""

import time

import pytest
from cases import Case
from host.errors import MIB

pytestmark = pytest.mark.e2e
BLOCK = 2 * MIB
MEMORY = 128 * MIB
TARGET = 88 * MIB
PIECES = 1000  # ranges of a balloon that is scattered
BUSY_S, SOAK_BUSY_S = 3, 60
CASES = (
    Case("early", memory=MEMORY),
    Case("told-first-packed", memory=MEMORY, device="virtio-balloon-pci,packed=on",
         config="balloon.early_return=off"),
    Case("legacy-reporting-oom", memory=MEMORY,
         device="virtio-balloon-pci,disable-modern=on,disable-legacy=off,free-page-reporting=on,deflate-on-oom=on",
         config="report.delay=off"),
)


@pytest.fixture
def begin(boot, build):
    return lambda case: boot(case, image=str(build / "aerostat-test.elf"))


def scatter(guest):
    """An app fills memory and releases every other page; the balloon takes of those."""
    guest.guest.ask("run scatter", 60, event="scattered")
    guest.go_to(TARGET)


def leave(guest):
    """The app goes, and its frames are free between those of the balloon."""
    guest.guest.ask("<", 60, event="scattered")
    end(guest)


def end(guest):
    assert guest.guest.ask("<", 60, event="app_exit").number("code") == 0


def whole(memory):
    return memory.number("free_blocks_touched") + memory.number("free_blocks_untouched")


def moved(guest, since):
    return guest.guest.wait_for(lambda e: e.has(balloon="virtio", event="moved"), 30, since, "event=moved")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_scattered_balloon_is_gathered(begin, case):
    with begin(case) as guest:
        guest.mem()
        scatter(guest)
        leave(guest)
        before, ranges, since = guest.mem(), guest.check_holes(), guest.guest.seen
        guest.guest.ask("mem compact", event="compact")
        event = moved(guest, since)
        after = guest.mem("mem check")
        best = after.number("free") // BLOCK
        print(f"{case.name}: {whole(before)} whole blocks, then {whole(after)}, at the best {best}; "
              f"{event.number('frames')} frames moved")
        assert whole(after) >= best - 3 and whole(after) >= whole(before) + 5
        assert event.number("blocks_after") == whole(after)
        for figure in ("ballooned", "managed"):
            assert after.number(figure) == before.number(figure)
        gathered = guest.check_holes()
        assert len(ranges) > PIECES > len(gathered)
        assert guest.events(since, balloon="virtio", target=str((MEMORY - TARGET) // 4096)) == []
        assert guest.check_size() == TARGET
        guest.go_to(MEMORY)
        assert guest.mem("mem check").number("ballooned") == 0


def test_an_app_that_wants_blocks_sets_it_off(begin):
    """While it takes what there is, the balloon makes more."""
    with begin(CASES[0]) as guest:
        scatter(guest)
        leave(guest)
        before, since = whole(guest.mem()), guest.guest.seen
        guest.run("frag --percent=1", 60)
        assert moved(guest, since).number("frames") > 0
        done, = guest.events(since, event="frag_done")
        after = whole(guest.mem("mem check"))
        print(f"{before} whole blocks; the app took {done.number('blocks_taken')}; then {after}")
        assert after >= before + 5
        assert guest.check_size() == TARGET
        guest.check_holes()


def test_under_an_app_that_keeps_its_data(begin):
    """Its pages move and those of the balloon, out of the same blocks."""
    with begin(CASES[0]) as guest:
        guest.mem()
        scatter(guest)
        guest.guest.ask("<", 60, event="scattered")
        before, since = guest.mem(), guest.guest.seen
        guest.guest.ask("mem compact", event="compact")
        assert moved(guest, since).number("frames") > 0
        after = guest.mem("mem check")
        assert after.number("app") == before.number("app") > 10 * MIB
        assert whole(after) >= after.number("free") // BLOCK - 3
        print(f"{whole(before)} whole blocks, then {whole(after)} of {after.number('free') // BLOCK}")
        end(guest)
        assert guest.events(since, event="scatter_done")[0].number("wrong") == 0
        assert guest.check_size() == TARGET
        guest.check_holes()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_everything_else_goes_on_meanwhile(begin, rng, soaking, case):
    """Targets, an app, a detach; each as soon as it comes."""
    with begin(case) as guest:
        guest.mem()
        scatter(guest)
        leave(guest)
        since = guest.guest.seen
        seconds, rounds = SOAK_BUSY_S if soaking else BUSY_S, 0
        guest.guest.ask(f"run churn --live=10% --seconds={seconds + 1}s", event="app_start")
        over = time.monotonic() + seconds
        while time.monotonic() < over:
            guest.guest.ask("mem compact", event="compact")
            time.sleep(rng.random() * 0.02)
            if rng.random() < 0.7:
                guest.qmp.balloon(rng.randrange(TARGET // 4096, MEMORY // 4096) * 4096)
            guest.mem()
            rounds += 1
        guest.guest.wait_for(lambda e: e.has(event="app_exit"), 30, since)
        guest.go_to(TARGET)
        guest.check_size()
        guest.check_holes()
        guest.guest.ask("mem compact", event="compact")
        guest.guest.ask("balloon detach", balloon="virtio", event="detached")
        memory = guest.mem("mem check")
        assert (memory.number("ballooned"), memory.number("app")) == (0, 0)
        assert memory.number("managed") == memory.number("total")
        frames = sum(e.number("frames") for e in guest.events(since, event="moved"))
        print(f"{case.name}: {rounds} times compacted, {frames} frames moved")
        assert guest.events(event="workload_wrong") == guest.events(balloon="virtio", event="broken") == []
