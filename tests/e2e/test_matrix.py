# SPDX-License-Identifier: BSD-2-Clause
"""The matrix (matrix.py): on each machine five random targets, and each time the RAM file must have holes
where the balloon is, and keep them while the guest writes to all it has left."""

import pytest
from host.errors import MIB
from host.host_memory import PAGE, cpu_seconds
from matrix import CASES, TRANSPORTS, case_of, features_of, is_legal, legal_choices, pairs, queues_of

pytestmark = pytest.mark.e2e
STEPS = 5
WIDTH = 40 * MIB  # targets differ by so much at most
PVH_CASES, EFI_CASES = 150, 15
PVH_CASE_S = 3  # a case by PVH, of QEMU's CPU time: a busy machine takes longer, not more of that


def test_any_two_values_that_can_meet_do():
    assert all(map(is_legal, CASES))
    assert len(set(CASES)) == len(CASES)
    wanted = set().union(*map(pairs, legal_choices()))
    assert wanted == set().union(*map(pairs, CASES))
    by_efi = sum(choice.boot == "efi" for choice in CASES)
    assert by_efi <= EFI_CASES and len(CASES) - by_efi <= PVH_CASES


@pytest.mark.parametrize("choice", CASES, ids=["-".join(choice) for choice in CASES])
def test_five_targets(boot, rng, choice):
    with boot(case_of(choice)) as guest:
        check_attached(guest, choice)
        walk(guest, rng)
        cpu = cpu_seconds(guest.guest.process.pid)
    print(f"{cpu:.2f} s of CPU time")
    assert cpu <= PVH_CASE_S or choice.boot != "pvh"


def check_attached(guest, choice):
    [attached] = guest.events(balloon="virtio", event="attached")
    assert attached.get("transport") == TRANSPORTS[choice.transport][1]
    accepted = attached.number("features")
    must, must_not = features_of(choice)
    assert [bit for bit in must if not accepted >> bit & 1] == [], attached
    assert [bit for bit in must_not if accepted >> bit & 1] == [], attached
    assert attached.get("queues") == queues_of(choice)


def walk(guest, rng):
    guest.mem()
    guest.fill_and_free()
    for _ in range(STEPS):
        target = guest.memory - rng.randrange(WIDTH // PAGE + 1) * PAGE
        guest.go_to(target)
        ranges = guest.check_holes()
        assert sum(frames for _, frames in ranges) == (guest.memory - target) // PAGE
        guest.mem()
    guest.go_to(guest.memory - WIDTH)
    ranges = guest.map()
    guest.fill_and_free("12M")  # most of what is left: not a page of the balloon's
    assert guest.check_holes() == ranges
    guest.go_to(guest.memory)
    assert guest.map() == []
    assert guest.mem("mem check").number("ballooned") == 0
    assert guest.events(balloon="virtio", event="broken") == []
    assert guest.events(balloon="virtio", event="polled") == []
