# SPDX-License-Identifier: BSD-2-Clause
"""Is it VMware? Asked of QEMU, which is not: by its CPUID that is final; without that its serial number may lie, and
the general backdoor answers, but there is no balloon behind it. (A host that has one: test_vmware.py.)"""

import time

import pytest
from cases import HIDDEN, SERIAL, Case

pytestmark = pytest.mark.e2e

VMWARE = {"balloon": "vmware"}


@pytest.fixture
def look(boot):
    """Boots a case; returns its events about VMware's balloon, and what doctor says."""
    def run(name, tmp_path, **fields):
        with open(tmp_path / "serial.log", "wb", 0) as file, boot(Case(name, **fields), file) as guest:
            guest.guest.ask("doctor", event="doctor")
            error = guest.guest.ask("vmmemctl", event="error")
            assert error.get("reason") == "there is no VMware balloon"
            time.sleep(1.5)  # it would ask again by now
            events = guest.events(0, **VMWARE)
        lines = [line for line in (tmp_path / "serial.log").read_text(errors="replace").splitlines()
                 if "doctor: " in line and "VMware" in line]
        return events, lines[0].split("doctor: ")[1].strip()
    return run


@pytest.mark.parametrize("extra, cpu", [((), "max"), (SERIAL, "max"), ((), HIDDEN)],
                         ids=["qemu", "cpuid-is-final", "no-serial"])
def test_this_is_not_vmware(look, tmp_path, extra, cpu):
    assert look("not", tmp_path, cpu=cpu, extra=extra) == ([], "no VMware")


@pytest.mark.parametrize("policy", ["modern", "classic"])
def test_a_host_without_a_balloon_is_refused_once(look, tmp_path, policy):
    events, doctor = look("refused", tmp_path, cpu=HIDDEN, extra=SERIAL, config=f"vmware.policy={policy}")
    assert [(e.get("event"), e.get("reason")) for e in events] == [("refused", "the host has no balloon")]
    assert doctor == "VMware by smbios, product esx; no balloon: the host has no balloon"


def test_no_backdoor_is_no_vmware(look, tmp_path):
    assert look("vmport", tmp_path, machine="q35,vmport=off", cpu=HIDDEN, extra=SERIAL) == ([], "no VMware")


@pytest.mark.parametrize("setting", ["vmware.enable=off", "balloon.enable=off"])
def test_settings_leave_its_ports_alone(look, tmp_path, setting):
    """A serial number counts only with an answer of the port, which is not asked."""
    assert look("off", tmp_path, cpu=HIDDEN, extra=SERIAL, config=setting) == ([], "no VMware")
