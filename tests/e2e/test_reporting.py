# SPDX-License-Identifier: BSD-2-Clause
"""Free page reporting: what the guest frees becomes holes in its RAM file though nobody asked for it, and
is memory like any other when it is used again."""

import dataclasses
import time

import pytest
from cases import FREE_REPORTS
from host.errors import MIB

pytestmark = pytest.mark.e2e
Q35 = FREE_REPORTS[0]
BLOCK = 2 * MIB
SLACK = 8 * BLOCK  # at both ends of what is freed, and frames in pieces


def wait_below(guest, limit, timeout=5.0):
    """Until the RAM file holds no more than that; the host may be busy."""
    begin = time.monotonic()
    while (held := guest.guest.ram_file.allocated()) > limit:
        assert time.monotonic() - begin < timeout, f"{held} bytes are held, more than {limit}"
        time.sleep(0.002)


@pytest.mark.parametrize("case", FREE_REPORTS, ids=lambda case: case.name)
def test_what_is_freed_becomes_holes_and_can_be_used_again(boot, case):
    with boot(case) as guest:
        before = guest.guest.ram_file.allocated()
        for _ in range(3):
            filled = guest.guest.ask("fill 60%", timeout=60, event="fill").number("bytes")
            assert guest.guest.ram_file.allocated() >= before + filled - SLACK
            # `free` checks what was written
            assert guest.guest.ask("free", timeout=60, event="free").number("bytes") == filled
            wait_below(guest, before + SLACK)
        assert guest.mem().number("ballooned") == 0
        assert guest.check_size() == case.memory
        assert guest.events(event="reported")


def test_it_can_be_turned_off(boot):
    with boot(Q35, config="report.delay=off") as guest:
        filled = guest.fill_and_free("60%")
        time.sleep(0.5)
        assert guest.guest.ram_file.allocated() >= filled
        assert guest.events(event="reported") == []


def test_the_balloon_moves_at_the_same_time(boot, rng):
    case = dataclasses.replace(Q35, name="free-and-balloon", memory=512 * MIB)
    with boot(case) as guest:
        for _ in range(12):
            guest.qmp.balloon(rng.randrange(256 * MIB, case.memory, MIB))
            guest.fill_and_free("50%")
            target = rng.randrange(128 * MIB, case.memory, MIB)
            guest.go_to(target)
            guest.check_holes()
            assert guest.check_size() == target
        guest.go_to(case.memory)
        wait_below(guest, 32 * MIB)


def test_an_app_that_frees_is_followed_while_it_runs(boot):
    with boot(Q35) as guest:
        since = guest.guest.seen
        guest.run("churn --sizes=fixed:4M --live=60% --life=fifo --seconds=3", timeout=60)
        assert guest.events(since, event="reported")  # not only once it has ended
        end = guest.events(since, event="app_exit")[-1]
        first = guest.events(since, event="reported")[0]
        assert first.t < end.t
        wait_below(guest, 48 * MIB)


# What is released lies in runs of so many pages, at random, and hardly a block of it is whole.
@pytest.mark.alone
@pytest.mark.parametrize("order, run, leaves", [(9, 64, False), (4, 64, True), (0, 1, True)])
def test_a_fragmented_guest_gives_pieces(boot, order, run, leaves):
    with boot(Q35, config=f"report.order={order}") as guest:
        guest.mem()
        since = guest.guest.seen
        guest.guest.send(f"run frag --percent=80 --run={run} --hold=2s")
        begin = guest.guest.wait_for(lambda e: e.has(event="frag_released"), 60, since, "frag")
        released = begin.number("count") * 4096
        assert released > 64 * MIB and begin.number("whole_share") < 4000
        if leaves:
            wait_below(guest, Q35.memory - released * 9 // 10, 1.8)
        else:
            time.sleep(0.5)
            assert guest.guest.ram_file.allocated() > released * 3 // 2
        guest.mem()  # every frame is counted once
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 60, since, "frag's end")
        assert (end.get("by"), end.number("code")) == ("exit", 0)  # what it kept was intact
        assert guest.events(since, event="frag_done")[0].number("ok") == 1
