# SPDX-License-Identifier: BSD-2-Clause
"""What `make vmware` leaves boots under OVMF, each image in its own format. That nothing of this was run on
VMware's own products is said in docs/vmware.md."""

import contextlib

import pytest
from cases import VM_IMAGES
from host.errors import MIB

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def guests(start, build):
    """All of them at once."""
    with contextlib.ExitStack() as stack:
        yield {case.name: stack.enter_context(start(case, image=str(build / name), disk_format=kind))
               for case, name, kind in VM_IMAGES}


@pytest.mark.parametrize("name", [case.name for case, _, _ in VM_IMAGES])
def test_image_boots_and_its_balloon_moves(guests, name):
    guest = guests[name]
    guest.wait_ready()
    [event] = guest.events(event="boot")
    assert event.get("front") == "efi"
    guest.fill_and_free("20M")
    guest.go_to(guest.memory - 8 * MIB)
    guest.check_holes()
