# SPDX-License-Identifier: BSD-2-Clause
"""An app that wants more than is free while the balloon holds it: with DEFLATE_ON_OOM it is served every time,
without it is refused every time, with numbers."""

import time

import pytest
from cases import Case
from host.errors import MIB

pytestmark = pytest.mark.e2e
TARGET = 16 * MIB
DEVICE = "virtio-balloon-pci,deflate-on-oom=on"
EARLY = Case("early", memory=32 * MIB, device=DEVICE)
TOLD_FIRST = Case("told-first", memory=32 * MIB, device=DEVICE, config="balloon.early_return=off")
# Episodes, KiB beyond what is available, episodes in a row until the balloon grows again; and in a soak. The
# largest shortage is more than malloc can spare.
SERVED = (
    (EARLY, (200, 1024, 10), (1000, 4096, 1)),
    (TOLD_FIRST, (20, 4096, 1), (200, 4096, 1)),
)
PAUSED, SOAK_PAUSED = 1, 5  # 5 s the first, doubled each time
REFUSED = (
    Case("not-offered", memory=32 * MIB),
    Case("not-accepted", memory=32 * MIB, device=DEVICE, config="balloon.oom=off"),
)


@pytest.fixture
def shortage(boot, build):
    return lambda case: boot(case, image=str(build / "aerostat-test.elf"))


def begin(guest, episodes, more=4096, row=1):
    guest.go_to(TARGET)
    return guest.guest.ask(f"run shortage {episodes} {more} {row}", 20, event="shortage_row")


def again(guest):
    return guest.guest.ask("<", 20, event="shortage_row")


def end(guest):
    since = guest.guest.seen
    over = guest.guest.ask("<", 20, event="app_exit")
    assert over.number("code") == 0, over
    done, = guest.events(since, event="shortage_done")
    assert done.number("wrong") == 0
    return done


def attach_again(guest):
    """A balloon that knows nothing of the shortage: it grows at once, where the old one would pause."""
    assert guest.qmp.query_balloon() > TARGET
    guest.guest.ask("balloon detach", balloon="virtio", event="detached")
    guest.guest.ask("balloon attach", balloon="virtio", event="attached")
    guest.go_to(TARGET)


@pytest.mark.parametrize("case, check, soak", SERVED, ids=[case.name for case, _, _ in SERVED])
def test_every_shortage_is_served(shortage, soaking, case, check, soak):
    count, more, in_row = soak if soaking else check
    start = time.monotonic()
    with shortage(case) as guest:
        row = begin(guest, count, more, in_row)
        for number in range(in_row, count + 1, in_row):
            assert row.number("served") == row.number("episodes") == number, row
            assert row.number("oom_calls") >= number, "there was no shortage"
            if number < count:
                attach_again(guest)
                row = again(guest)
        done = end(guest)
        assert done.number("served") == count
        memory = guest.mem("mem check")
        assert (memory.number("app"), memory.number("promised")) == (0, 0)
        guest.check_size()
        guest.check_holes()
        print(f"{case.name}: {count} of {count} served in {time.monotonic() - start:.0f} s; p50 "
              f"{done.number('p50') / 1e3:.0f} us, p99 {done.number('p99') / 1e3:.0f} us, max "
              f"{done.number('max') / 1e3:.0f} us")


def test_the_balloon_pauses_and_comes_back(shortage, soaking):
    """By itself: after 5 s, 10 s, 20 s ..., a minute at most, in which the guest had enough."""
    count = SOAK_PAUSED if soaking else PAUSED
    with shortage(EARLY) as guest:
        row = begin(guest, count + 1)
        for number in range(count):
            assert row.number("served") == number + 1
            pause, start = min(5 << number, 60), time.monotonic()
            time.sleep(0.5)
            assert guest.qmp.query_balloon() > TARGET, "no pause"
            guest.go_to(TARGET, pause + 10)
            assert time.monotonic() - start > pause - 1
            row = again(guest)
        assert end(guest).number("served") == count + 1


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_without_the_bit_it_is_refused_with_numbers(shortage, case):
    with shortage(case) as guest:
        row = begin(guest, 3)
        for number in range(3):
            assert (row.number("served"), row.number("refused")) == (0, number + 1)
            if number < 2:
                time.sleep(0.15)  # ten a second are told
                row = again(guest)
        assert end(guest).number("served") == 0
        told = [e for e in guest.events(event="refused") if e.get("app") == "shortage"]
        assert len(told) == 3
        for event in told:
            assert event.number("wanted") > event.number("available") > 0
            assert event.number("ballooned") == case.memory - TARGET
        assert told[-1].number("wanted") == row.number("bytes")
        assert guest.check_size() == TARGET
