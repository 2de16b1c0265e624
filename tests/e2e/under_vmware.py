# SPDX-License-Identifier: BSD-2-Clause
"""Our image under the monitor that plays VMware: how a test boots it, and how it ends with a clean account."""

import contextlib
import time

import event_page
import pytest
import vmhost

READY_TIMEOUT, TIMEOUT = 20, 60
SLACK = 511  # the modern policy stops less than a block off
QUICK = "loglevel=warn vmware.poll=10ms"


@pytest.fixture
def boot(build, tmp_path):
    """A function that boots the image under the monitor: words for the host, settings for the guest."""
    @contextlib.contextmanager
    def begin(*words, config=QUICK, image="aerostat.elf", **fields):
        with vmhost.Run(build, build / image, tmp_path, words, config, **fields) as run:
            run.guest.wait_for(lambda e: e.has(event="ready"), READY_TIMEOUT)
            yield run
            event_page.check(run.guest.events_since(0)[0])
    return begin


def last_size(run):
    """What the guest's last event says that the balloon holds."""
    sizes = [e for e in run.guest.events_since(0)[0] if e.has(balloon="vmware") and e.get("actual")]
    return sizes[-1].number("actual") if sizes else 0


def settle(run):
    """No more faults; wait until the guest has said what the host holds and that stands still: the last bit may still
    be on its way, and a schedule is over before its last frames have moved."""
    run.say("calm")
    deadline, before = time.monotonic() + TIMEOUT, None
    while (locked := run.audit().number("locked")) != last_size(run) or locked != before:
        assert time.monotonic() < deadline, (run.said("audit")[-1], last_size(run))
        before = locked
        time.sleep(0.1)


def finish(run):
    """Switch off; the account is clean and says what the guest's last event says. Returns it."""
    settle(run)
    run.guest.send("poweroff")
    status, audit = run.finish()
    vmhost.check_clean(audit)
    assert (status, audit.get("why")) == (0, "power-off")
    assert audit.number("locked") == last_size(run)
    assert audit.number("locks") - audit.number("unlocks") - audit.number("forgotten") == \
        audit.number("locked")
    return audit


def play(boot, *words, config=QUICK, **fields):
    """Boot, wait until the schedule among the words is over, finish. Returns (run, audit)."""
    with boot(*words, config=config, **fields) as run:
        run.wait("schedule", TIMEOUT, event="over")
        return run, finish(run)


def schedule(*targets, met=SLACK):
    return f"schedule={','.join(map(str, targets))}", f"met={met}"


def finish_at(run, size, slack=0):
    """As finish(), once the host holds so much, or so little off."""
    deadline = time.monotonic() + TIMEOUT
    while abs(run.audit().number("locked") - size) > slack:
        assert time.monotonic() < deadline, run.said("audit")[-1]
        time.sleep(0.1)
    return finish(run)
