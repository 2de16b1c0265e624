# SPDX-License-Identifier: BSD-2-Clause
"""The VMware balloon over a sleep of the machine, and its doorbell, which a sleep takes away."""

import io

import pytest
import vmhost
from host.errors import MIB
from under_vmware import TIMEOUT, boot, finish, finish_at, play, schedule  # noqa: F401 (boot is a fixture)

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("level, device", [
    ("basic", ""), ("doorbell", ""), ("wide", ""), ("wide", "virtio-balloon-pci")])
@pytest.mark.parametrize("machine", ["q35,smm=off", "pc,smm=off"], ids=["q35", "pc"])
def test_sleep_with_an_inflated_balloon(boot, level, device, machine):
    """The balloon stays inflated over S3, nothing touches it, and it moves on afterwards. A virtio balloon beside it
    is empty meanwhile, and the bell is hung up again."""
    with boot(f"caps={vmhost.LEVELS[level]:#x}", "target=20480", memory=512 * MIB, machine=machine, balloon=device) as run:
        run.guest.wait_for(lambda e: e.has(balloon="vmware", actual="20480"), TIMEOUT)
        if device:
            run.guest.qmp.balloon(400 * MIB)
        for _ in range(3):
            before, since = run.now(), run.guest.seen
            run.guest.send("suspend")
            asleep = run.wait("sleep", after=before)
            assert asleep.number("locked") == 20480
            assert not device or run.guest.qmp.query_balloon() == 512 * MIB
            run.say("wake")
            run.guest.wait_for(lambda e: e.has(event="resumed"), TIMEOUT, since)
        run.audit()  # the first poll awake: the host knows its bell again
        awake = run.now()
        run.say("target=0")
        if level == "doorbell":
            run.wait("ring", after=awake)
        finish_at(run, 0)


def test_a_bell_that_never_was_does_not_come_of_a_sleep(boot):
    """irq=poll: the device is there and has no interrupt. A wake does not look for it again, nor miss it."""
    log = io.BytesIO()
    with boot("caps=0x3e", "target=5120", config="vmware.poll=10ms irq=poll", memory=512 * MIB, serial_log=log) as run:
        run.guest.wait_for(lambda e: e.has(balloon="vmware", actual="5120"), TIMEOUT)
        before, since = run.now(), run.guest.seen
        run.guest.send("suspend")
        run.wait("sleep", after=before)
        run.say("wake")
        run.guest.wait_for(lambda e: e.has(event="resumed"), TIMEOUT, since)
        finish_at(run, 5120)
    assert b"vmware-balloon: no doorbell (" in log.getvalue()
    assert b"the doorbell is gone" not in log.getvalue()


def test_a_bell_that_is_gone_after_a_sleep_is_back_after_the_next(boot):
    log = io.BytesIO()
    with boot("caps=0x3e", config="vmware.poll=4s", memory=512 * MIB, serial_log=log) as run:
        for answers in (0, 1):
            before, since = run.now(), run.guest.seen
            run.guest.send("suspend")
            run.wait("sleep", after=before)
            run.say(f"vmci={answers}")
            run.say("wake")
            run.guest.wait_for(lambda e: e.has(event="resumed"), TIMEOUT, since)
            run.audit()  # the first poll awake
            assert log.getvalue().count(b"the doorbell is gone") == 1
        awake = run.now()
        run.say("target=5120")
        run.wait("ring", after=awake)
        finish_at(run, 5120)


@pytest.mark.parametrize("device, irq, by", [
    ("msi=1", "auto", "msi"), ("msi=1", "intx", "intx"), ("msi=0", "auto", "intx")])
def test_the_doorbell(boot, device, irq, by):
    """Polls are 4 s apart, but the host rings and is asked at once, by message or by line; after a reset the bell is
    hung up again."""
    log = io.BytesIO()
    with boot("caps=0x3e", device, "trace=1", config=f"vmware.poll=4s irq={irq}", serial_log=log) as run:
        assert f"doorbell at 00:10.0 by {by}".encode() in log.getvalue()
        for target in (5120, 0, 7680):
            before = run.now()
            run.say(f"target={target}")
            ring = run.wait("ring", after=before)
            assert run.wait("call", after=ring.t, command=1).t - ring.t < 1_000_000_000
            run.guest.wait_for(lambda e, t=str(target): e.has(balloon="vmware", target=t, actual=t), TIMEOUT)
            if target == 0:
                run.say("reset")
                lost = run.wait("reset", after=ring.t)
                started = run.wait("start", after=lost.t)
                run.wait("guest-id", after=started.t)  # the last word of a new session
        finish(run)


@pytest.mark.parametrize("status", [1, 2, 7, 8, 9, 0xFFFFFFFF])
def test_a_doorbell_that_is_refused(boot, status):
    """The polls go on without it."""
    run, _ = play(boot, "caps=0x3e", *schedule(5000, 0, 3000), f"fault=doorbell@1:status={status:#x}")
    assert run.said("fault")
