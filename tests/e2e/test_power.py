# SPDX-License-Identifier: BSD-2-Clause
"""Each way out alone, by PVH; EFI's ResetSystem is in test_efi.py."""

import pytest
from cases import Case

pytestmark = pytest.mark.e2e

Q35 = Case("power", balloon=False)
MICROVM = Case("power-microvm", machine="microvm,acpi=on", balloon=False)


@pytest.mark.parametrize("case", [Q35, MICROVM], ids=["q35", "microvm"])
def test_acpi_switches_off(boot, case):
    with boot(case, ram="private", reboot=True) as guest:  # a reset would not end QEMU
        guest.guest.send("poweroff acpi")
        assert guest.guest.exit_status(10) == 0


@pytest.mark.parametrize("case, way", [(Q35, "acpi"), (Q35, "keyboard"), (Q35, "port"),
                                       (Q35, "fault"), (MICROVM, "acpi"), (MICROVM, "fault")])
def test_way_reboots(boot, case, way):
    with boot(case, ram="private", reboot=True) as guest:
        since = guest.guest.seen
        guest.guest.send(f"reboot {way}")
        guest.wait_ready(since)


def test_way_that_is_not_there(boot):
    with boot(Q35, ram="private") as guest:
        assert guest.guest.ask("poweroff gently", event="error").get("command") == "poweroff"
        guest.mem()
