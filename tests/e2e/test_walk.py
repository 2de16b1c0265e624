# SPDX-License-Identifier: BSD-2-Clause
"""Random walks of the target: exact sizes, holes where the balloon is, every frame counted."""

import time

import pytest
from cases import WALKS
from host.errors import MIB
from host.host_memory import PAGE, overlap

pytestmark = pytest.mark.e2e
LOW = 24 * MIB  # above what any reserve, kernel and firmware keep
UNTOUCHED_SECONDS = 5


@pytest.mark.parametrize("case, steps", WALKS, ids=[case.name for case, _ in WALKS])
def test_walk(boot, rng, case, steps):
    with boot(case) as guest:
        guest.mem()
        guest.fill_and_free()
        for _ in range(steps):
            target = rng.randrange(LOW // PAGE, case.memory // PAGE + 1) * PAGE
            guest.go_to(target)
            ranges = guest.check_holes()
            assert sum(frames for _, frames in ranges) == (case.memory - target) // PAGE
            guest.mem()
        guest.go_to(case.memory // 2)
        check_untouched(guest)
        guest.go_to(case.memory)
        assert guest.map() == []
        assert guest.mem("mem check").number("ballooned") == 0
        if case.boot == "efi":
            check_bottom(guest)


def check_untouched(guest):
    """No hole under the balloon is filled while the guest idles."""
    ranges, end = guest.check_holes(), time.monotonic() + UNTOUCHED_SECONDS
    while time.monotonic() < end:
        assert overlap(ranges, guest.guest.ram_file.data()) == 0
        time.sleep(0.25)
    assert guest.map() == ranges


def check_bottom(guest):
    """Ballooned to the end under OVMF, whose own runtime memory stays: printed apart."""
    guest.qmp.balloon(MIB)
    actual = guest.settle()
    usable = guest.mem().number("total")
    firmware, held = guest.memory - usable, guest.guest.ram_file.allocated()
    print(f"{guest.case.name}: actual {actual / MIB:.2f} MiB, RAM file {held / MIB:.2f} MiB,"
          f" firmware's own {firmware / MIB:.2f} MiB")
    assert held - firmware < 6 * MIB
