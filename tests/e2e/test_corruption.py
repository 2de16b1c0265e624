# SPDX-License-Identifier: BSD-2-Clause
"""Rings full of nonsense (scribble.py) while the target moves and an app works: no fault of the guest, it
starts the device again and goes on, and the app finds its memory as it left it."""

import collections
import time

import pytest
from cases import MMIO, V2, Case
from host.errors import MIB
from scribble import Scribbler

pytestmark = pytest.mark.e2e
RECOVERY = 90  # seconds; a doorbell that got lost is missed after five
ROUND = 20  # pieces of nonsense between two looks at the whole
NOTICED = 40  # most are written where nobody looks any more, one of so many must cost a reset
APP = "churn --live=30% --seconds=5s"
LOW = 80 * MIB
NO_LIMIT = "virtio.reset_limit=0"

# (case, pieces of nonsense in `make check`, in `make soak`)
CASES = (
    (Case("split", memory=128 * MIB, config=NO_LIMIT), 140, 3000),
    (Case("packed", memory=128 * MIB, config=NO_LIMIT, device="virtio-balloon-pci,packed=on"), 80, 1200),
    (Case("legacy", machine="pc", memory=128 * MIB, config=NO_LIMIT,
          device="virtio-balloon-pci,disable-legacy=off,disable-modern=on"), 40, 400),
    (Case("mmio", machine="microvm,acpi=on", memory=128 * MIB, config=NO_LIMIT, device=MMIO, extra=V2),
     40, 400),
)
LIMITED = Case("limited", memory=128 * MIB)


@pytest.mark.parametrize("case, short, long", CASES, ids=[case.name for case, _, _ in CASES])
def test_the_guest_survives(boot, rng, soaking, case, short, long):
    done = collections.Counter()
    with boot(case) as guest:
        scribbler, count = Scribbler(guest, rng), long if soaking else short
        guest.mem()
        start_app(guest)
        while done.total() < count or noticed(guest) < count // NOTICED:
            for _ in range(ROUND):
                guest.qmp.balloon(rng.randrange(LOW, case.memory))
                time.sleep(rng.random() * 0.01)
                done.update(filter(None, [scribbler.once()]))
            check_serving(guest, rng)
            assert done.total() <= 4 * count, f"{done}: noticed {noticed(guest)}"
        end_app(guest)
        print(f"{case.name}: {dict(done)}, noticed {noticed(guest)}")
        assert guest.events(event="workload_wrong") == []
        check_whole(guest)


def noticed(guest):
    """How often the driver gave the device up so far."""
    events = guest.events(balloon="virtio", event="broken")
    return events[-1].number("count") if events else 0


def start_app(guest):
    guest.guest.ask(f"run {APP}", 30, event="app_start")


def end_app(guest):
    """It must end by itself, content with what its memory held."""
    ends = guest.events(event="app_exit")
    starts = guest.events(event="app_start")
    if len(ends) < len(starts):
        since = ends[-1].t if ends else 0
        ends.append(guest.guest.wait_for(lambda e: e.has(event="app_exit") and e.t > since, 60))
    for end in ends:
        assert (end.get("by"), end.number("code")) == ("exit", 0), end


def check_serving(guest, rng):
    """It recovers by itself: the next target is met. The app works, or is started again."""
    target = rng.randrange(LOW // MIB, guest.memory // MIB) * MIB
    guest.go_to(target, RECOVERY)
    guest.mem()
    if len(guest.events(event="app_exit")) == len(guest.events(event="app_start")):
        start_app(guest)


def check_whole(guest):
    """After a clean start nothing is left of it all. Before, pages might lie in the balloon that a
    forged completion kept the host from ever hearing of."""
    guest.guest.ask("balloon detach", 30, balloon="virtio", event="detached")
    assert books(guest).number("ballooned") == 0
    since = guest.guest.seen
    guest.guest.ask("balloon attach", 30, balloon="virtio", event="attached")
    guest.go_to(LOW, RECOVERY)
    guest.check_size()
    guest.check_holes()
    assert guest.events(since, balloon="virtio", event="broken") == []
    # Each start of a device that broke was told, with what was negotiated then. One that is found broken when it is
    # about to be detached, or by the detach itself, is not started for that.
    assert len(guest.events(balloon="virtio", event="attached")) - noticed(guest) in (1, 2)


def books(guest):
    """`mem check` while the rings are not there: the kernel has less than ever, which is no measure for later."""
    before, guest.kernel_bytes = guest.kernel_bytes, None
    answer = guest.mem("mem check")
    guest.kernel_bytes = before
    return answer


def test_three_starts_a_minute(boot, rng):
    """The default limit: a device that goes on lying is started again three times, then left for a while;
    the guest lives on without it."""
    with boot(LIMITED) as guest:
        scribbler, since = Scribbler(guest, rng), guest.guest.seen
        start = time.monotonic()
        while len(guest.events(since, balloon="virtio", event="broken")) < 4:
            guest.qmp.balloon(rng.randrange(LOW, LIMITED.memory))
            scribbler.once("avail-head", queue=rng.randrange(2))
            scribbler.once("used-index", queue=rng.randrange(2))
            time.sleep(0.02)
            assert time.monotonic() - start < 45, "three starts took too long to be in one minute"
        time.sleep(3)
        assert len(guest.events(since, balloon="virtio", event="attached")) == 3
        assert books(guest).number("ballooned") == 0
        guest.run("hello --points=1000 --seed=7")
        times = [event.t for event in guest.events(since, balloon="virtio", event="attached")]
        gaps = [later - sooner for sooner, later in zip(times, times[1:])]
        assert all(gap > 300e6 for gap in gaps), f"no wait before the next start: {gaps}"
