# SPDX-License-Identifier: BSD-2-Clause
"""Boot, clock and idle on every machine: all guests of the matrix run side by side, idling."""

import contextlib
import statistics
import time

import pytest
from cases import BOOTS, DISKS, START
from host.errors import GIB, KIB
from host.host_memory import cpu_seconds

pytestmark = pytest.mark.e2e
WINDOW = 10.0  # seconds the clocks are compared over
WINDOWS = 4  # idle CPU use is the median of so many parts of it
IDLE, IDLE_POLLED = 0.01, 0.03


@pytest.fixture(scope="module")
def matrix(start):
    """{name: (case, guest or the error it ended with, measures)}, measured once."""
    with contextlib.ExitStack() as stack:
        guests = {}
        for case in BOOTS:
            guest = stack.enter_context(start(case, ram="private"))
            try:
                guest.wait_ready()
                guests[case.name] = guest
            except Exception as error:  # told by the case of this name, not by all
                guests[case.name] = error
        yield guests, measure({k: v for k, v in guests.items() if not isinstance(v, Exception)})


def measure(guests):
    """{name: (clock error, CPU share)} over one common window."""
    time.sleep(1)  # boots settle
    first = {name: clock(guest) for name, guest in guests.items()}
    shares = {name: [] for name in guests}
    for _ in range(WINDOWS):
        begun = {name: (time.monotonic(), cpu_seconds(g.guest.pid)) for name, g in guests.items()}
        time.sleep(WINDOW / WINDOWS)
        for name, (at, used) in begun.items():
            spent = cpu_seconds(guests[name].guest.pid) - used
            shares[name].append(spent / (time.monotonic() - at))
    result = {}
    for name, guest in guests.items():
        host, own = clock(guest)
        error = (own - first[name][1]) / (host - first[name][0]) - 1
        result[name] = (error, statistics.median(shares[name]))
        print(f"{name:<24} clock {error:+.4%}  cpu {result[name][1]:.2%}")
    return result


def clock(guest):
    """(host seconds, guest seconds) of one moment: the closest of some questions."""
    best = None
    for _ in range(5):
        before = time.monotonic()
        event = guest.guest.ask("mem", event="mem")
        width = event.host - before
        if best is None or width < best[0]:
            best = (width, before + width / 2, event.t / 1e9)
    return best[1:]


@pytest.mark.parametrize("case", BOOTS, ids=[case.name for case in BOOTS])
def test_boot(matrix, case):
    guest = matrix[0][case.name]
    if isinstance(guest, Exception):
        raise guest
    booted = guest.events(event="boot")[0]
    assert booted.get("front") == "pvh"
    assert case.memory - (2 << 20) <= booted.number("mem_total") <= case.memory
    assert booted.number("metadata") <= case.memory / GIB * 8.5 * KIB + 16 * KIB
    assert bool(guest.events(event="attached")) == case.balloon
    assert guest.events(event="error") == []
    guest.mem()


@pytest.mark.parametrize("case", BOOTS, ids=[case.name for case in BOOTS])
def test_clock_agrees_with_the_host(matrix, case):
    assert abs(matrix[1][case.name][0]) < 0.01


@pytest.mark.parametrize("case", BOOTS, ids=[case.name for case in BOOTS])
def test_idle_costs_nothing(matrix, case):
    limit = IDLE_POLLED if "irq=poll" in case.config else IDLE
    assert matrix[1][case.name][1] < limit


@pytest.mark.parametrize("case", DISKS, ids=[case.name for case in DISKS])
def test_disk_image_boots(boot, case):
    with boot(case) as guest:
        assert guest.events(event="boot")[0].get("front") == "efi"
        assert guest.events(balloon="virtio", event="attached")
        guest.mem()
        target = case.memory * 3 // 4
        guest.go_to(target)
        assert guest.check_size() == target


@pytest.mark.alone
def test_start_to_first_actual(start):
    """QEMU's start to the driver's first write of `actual`; memory size must not show."""
    times = {case.name: [] for case in START}
    for _ in range(3):  # more rounds only while the machine is too noisy
        for _ in range(5):
            for case in START:
                with start(case, ram="private") as guest:
                    event = guest.guest.wait_for(
                        lambda e: e.has(balloon="virtio") and e.number("actual") is not None
                        or e.has(balloon="virtio", event="attached"), 20)
                    times[case.name].append(event.host - guest.guest.started_at)
        small, large = (statistics.median(values) for values in times.values())
        print(f"first actual: 256M {small:.3f} s, 64G {large:.3f} s")
        if small < 0.5 and large < 0.5 and large / small < 1.2:
            return
    raise AssertionError(f"256M {small:.3f} s, 64G {large:.3f} s")
