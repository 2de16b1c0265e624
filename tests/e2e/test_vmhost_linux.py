# SPDX-License-Identifier: BSD-2-Clause
"""The control: Debian's own Linux kernel with its vmw_balloon and vmw_vmci under the monitor. They were written
against VMware, so what they accept of the monitor is what VMware does, as far as they look."""

import os
import sys
import time

import pytest
import vmhost
from host.errors import MIB

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))

import linux_peer  # noqa: E402

pytestmark = pytest.mark.e2e

BOOT_TIMEOUT, TIMEOUT = 90, 120
QUIET = "console=ttyS0 quiet loglevel=1 panic=-1 hpet=disable"
TARGETS = (50000, 10000, 30000, 0, 20000)
WOKEN_NS = 200_000_000
SLACK = 511  # Linux stops deflating when it is less than a block off, and inflates by whole blocks


@pytest.fixture(scope="module")
def linux(build):
    """(the kernel's ELF, the initramfs). Skipped only where apt cannot get the packages, and pytest's last lines say so;
    packages that are there and do not do what they must are a failure."""
    cache = str(build / "peer-cache")
    try:
        kernel, initramfs = linux_peer.prepare(cache, linux_peer.VMWARE)
        return linux_peer.unpacked_kernel(kernel, cache), initramfs
    except linux_peer.NoPackage as problem:
        pytest.skip(f"THE CONTROL IS MISSING, Debian's vmw_balloon under the monitor: {problem}")


@pytest.fixture
def boot(build, linux, tmp_path):
    def begin(*words):
        kernel, initramfs = linux
        return vmhost.Run(build, kernel, tmp_path, words, QUIET, initramfs, memory=512 * MIB)
    return begin


def finish(run):
    """The guest's size is the host's; power off; a clean account. Returns the last audit and call counts."""
    size = run.guest.ask("vmmemctl", event="vmmemctl").number("current")
    assert run.audit().number("locked") == size
    run.guest.send("poweroff")
    status, audit = run.finish()
    vmhost.check_clean(audit)
    assert (status, audit.get("why"), audit.number("locked")) == (0, "power-off", size)
    assert audit.number("locks") - audit.number("unlocks") - audit.number("forgotten") == size
    return audit, run.said("calls")[-1]


def test_linux_meets_every_target(boot):
    """Each page by a call of its own, some 150,000 of them."""
    schedule = ",".join(map(str, TARGETS))
    with boot("caps=0x2", f"schedule={schedule}", f"met={SLACK}") as run:
        run.guest.wait_for(lambda e: e.has(event="ready"), BOOT_TIMEOUT)
        run.wait("schedule", TIMEOUT, event="over")
        audit, calls = finish(run)
    assert [start.number("granted") for start in run.said("start")] == [0x02]
    assert abs(audit.number("locked") - TARGETS[-1]) <= SLACK
    assert audit.number("locks") == calls.number("lock") >= 50000 + 20000 + 20000 - 3 * SLACK


def test_linux_hears_the_doorbell(boot):
    with boot("caps=0x3e", "trace=1") as run:
        run.guest.wait_for(lambda e: e.has(event="ready"), BOOT_TIMEOUT)
        assert run.wait("doorbell").get("context") != "0xffffffff"
        for target in (10240, 20480, 0):
            before = run.now()
            run.say(f"target={target}")
            ring = run.wait("ring", after=before)
            poll = run.wait("call", after=ring.t, command=1)
            assert poll.t - ring.t < WOKEN_NS, "it waited for its next poll"
            time.sleep(1.4)  # not in step with the polls of each second
        _, calls = finish(run)
    assert calls.number("block_lock") and not calls.number("lock")


def test_linux_survives_a_reset_and_a_lesser_host(boot):
    """RESET with a full balloon, then a host that knows only the basic commands."""
    with boot("caps=0x6", "fault=get-target@4:reset", "fault=start@2:caps=0x2",
              "schedule=20000,10000,15000", f"met={SLACK}") as run:
        run.guest.wait_for(lambda e: e.has(event="ready"), BOOT_TIMEOUT)
        run.wait("schedule", TIMEOUT, event="over")
        audit, calls = finish(run)
    assert [start.number("granted") for start in run.said("start")] == [0x06, 0x02]
    assert audit.number("forgotten") > 10000 - SLACK
    assert calls.number("batch_lock") and calls.number("lock")
