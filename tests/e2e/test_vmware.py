# SPDX-License-Identifier: BSD-2-Clause
"""Our VMware driver in the running kernel, under the monitor that plays VMware: every level up and down, each
fault, live targets, both balloons at once. No touch of a locked frame, no wrong command, and at the end
the host's books are the guest's."""

import io
import time

import pytest
import vmhost
from cases import Case
from driven import KERNEL_SWING, Driven
from host.errors import MIB
from host.host_memory import overlap
from under_vmware import (  # noqa: F401 (boot is a fixture)
    QUICK,
    SLACK,
    TIMEOUT,
    boot,
    finish,
    finish_at,
    last_size,
    play,
    schedule,
)

pytestmark = pytest.mark.e2e

LEVELS = ("basic", "batch", "block", "wide")
LOCKS = {"basic": "lock", "batch": "batch-lock", "block": "block-lock"}
UNLOCKS = {"basic": "unlock", "batch": "batch-unlock", "block": "block-unlock"}
SUCCESS_WITH_CAPS = 0x03000000  # garbage from every command but START
GARBAGE = (9, 100, SUCCESS_WITH_CAPS, 0x03000001, 0x80000000, 0xFFFFFFFF)


@pytest.mark.parametrize("level", LEVELS)
def test_targets_up_and_down(boot, level):
    run, audit = play(boot, f"caps={vmhost.LEVELS[level]:#x}", *schedule(12000, 0, 14000, 2000, 0))
    assert run.said("start")[0].number("granted") == vmhost.LEVELS[level]
    assert audit.number("locked") == 0
    assert audit.number("locks") == audit.number("unlocks") >= 12000 + 14000 - 2 * SLACK
    calls = run.said("calls")[-1]
    assert calls.number(LOCKS.get(level, "block-lock").replace("-", "_")) > 0


def test_a_hundred_thousand_locks_and_as_many_unlocks(boot):
    """One call a page, each page vanishing under the guest."""
    run, audit = play(boot, "caps=0x2", *schedule(*(35000, 0) * 3, met=0))
    calls = run.said("calls")[-1]
    assert calls.number("lock") == calls.number("unlock") == 3 * 35000
    assert audit.number("locks") == audit.number("unlocks") == 3 * 35000


def test_on_a_pc(boot):
    _, audit = play(boot, "caps=0x2e", *schedule(5000, 0, 3000), machine="pc,smm=off")
    assert abs(audit.number("locked") - 3000) <= SLACK


@pytest.mark.parametrize("wish, granted", [("basic", 0x02), ("batched", 0x26), ("batched-2m", 0x2E)])
def test_the_level_can_be_wished_lower(boot, wish, granted):
    run, _ = play(boot, "caps=0x2e", *schedule(3000, 0), config=f"{QUICK} vmware.level={wish}")
    assert run.said("start")[0].number("granted") & ~0x20 == granted & ~0x20


def test_modern_with_rates(boot):
    """16,384 frames a second and no bell: 40,960 take three cycles."""
    with boot("caps=0x3e", config="loglevel=warn vmware.rates=on") as run:
        run.say("target=40960")
        begun = run.guest.wait_for(lambda e: e.has(balloon="vmware", target="40960"), TIMEOUT)
        met = run.guest.wait_for(lambda e: e.has(balloon="vmware", actual="40960"), TIMEOUT)
        assert met.t - begun.t > 1_900_000_000
        run.audit()
        calls = run.said("calls")[-1]
        assert (calls.number("block_lock"), calls.number("doorbell")) == (3, 0)
        assert run.said("start")[0].number("asked") == 0x2E
        finish(run)


def test_the_classic_policy(boot):
    run, audit = play(boot, "caps=0x2e", *schedule(5000, 1000, met=0),
                      config="loglevel=warn vmware.policy=classic")
    assert run.said("start")[0].number("asked") == 2
    assert audit.number("locked") == 1000


def spread(command, statuses, first=2, apart=2):
    """Each status once, some calls of the command apart."""
    return [f"fault={command}@{first + apart * i}:status={status:#x}" for i, status in enumerate(statuses)]


UPS_AND_DOWNS = (4000, 1000) * 15 + (3000,)


@pytest.mark.parametrize("level", LOCKS)
@pytest.mark.parametrize("side", ["lock", "unlock"])
def test_refusals_of_page_commands(boot, level, side):
    """Every answer but success and CMD_INVALID, one after the other: the schedule is met all the same."""
    command = (LOCKS if side == "lock" else UNLOCKS)[level]
    faults = spread(command, (2, 3, 4, 5, 6, 7, 8, *GARBAGE))
    run, audit = play(boot, f"caps={vmhost.LEVELS[level]:#x}", *schedule(*UPS_AND_DOWNS), *faults)
    assert len(run.said("fault")) == len(faults), "the run was too short for all faults"
    assert abs(audit.number("locked") - 3000) <= SLACK


@pytest.mark.parametrize("level", LOCKS)
@pytest.mark.parametrize("side", ["lock", "unlock"])
def test_a_command_that_became_invalid(boot, level, side):
    """CMD_INVALID of what START granted: not used for ever, and the log says why; after a START it works again."""
    command = (LOCKS if side == "lock" else UNLOCKS)[level]
    log = io.BytesIO()
    run, audit = play(boot, f"caps={vmhost.LEVELS[level]:#x}", *schedule(4000, 1000, 3000),
                      f"fault={command}@1+3:status=1",
                      *(f"fault=get-target@{poll}:reset" for poll in (30, 60, 90, 120)), serial_log=log)
    assert run.said("fault", number=0)
    assert len(run.said("start")) > 1
    assert abs(audit.number("locked") - 3000) <= SLACK
    calls = run.said("calls")[-1].number(command.replace("-", "_"))
    assert calls < 10000
    what = {"basic": side.upper(), "batch": "batches of 4 KiB pages", "block": "batches of 2 MiB pages"}[level]
    assert log.getvalue().count(f"vmware-balloon: the host does not know {what}: ".encode()) == 1


def refusals_of_session(command):
    return spread(command, [s for s in (1, 2, 5, 6, 7, 8, *GARBAGE)
                            if (command, s) != ("start", SUCCESS_WITH_CAPS)])


@pytest.mark.parametrize("command", ["get-target", "guest-id", "start"])
def test_refusals_of_session_commands(boot, command):
    """Each answer to each; RESET now and then, so that START and GUEST_ID come again and again."""
    faults = refusals_of_session(command)
    resets = [f"fault=get-target@{n}:reset" for n in range(6, 150, 5)]
    run, audit = play(boot, "caps=0x2e", *schedule(*UPS_AND_DOWNS), "step=6", *faults,
                      *(resets if command != "get-target" else ()))
    hit = {fault.number("number") for fault in run.said("fault")}
    assert set(range(len(faults))) <= hit, "the run was too short for all faults"


def test_entries_of_a_batch(boot):
    """Each status of one entry and of all, and a frame number that the host changes."""
    words = [f"fault=batch-lock@{2 * i + 1}:entry={7 * i},{status}"
             for i, status in enumerate((1, 2, 3, 4, 5, 6, 7, 8, 31))]
    words += [f"fault=batch-lock@{2 * i + 21}:entries={status}" for i, status in enumerate((2, 5, 6, 7, 31))]
    words += [f"fault=batch-unlock@{2 * i + 1}:entry={5 * i},{status}"
              for i, status in enumerate((1, 2, 3, 4, 5, 6, 7, 8, 31))]
    words += ["fault=batch-lock@41:pfn=3", "fault=batch-unlock@41:pfn=3"]
    run, _ = play(boot, "caps=0x6", *schedule(*UPS_AND_DOWNS), *words)
    assert len(run.said("fault")) == len(words)


def test_blocks_that_are_refused(boot):
    """Some of them, then all: what cannot go as blocks goes as frames."""
    run, audit = play(boot, "caps=0xe", *schedule(8000, 0, 8000), "fault=block-lock@1:entry=2,5",
                      "fault=block-lock@3+0:entries=5")
    assert run.said("calls")[-1].number("batch_lock") > 0
    assert abs(audit.number("locked") - 8000) <= SLACK


@pytest.mark.parametrize("target", [1 << 20, 0xFFFFFFFF, 1 << 40])
def test_a_target_above_the_limit(boot, target):
    """The guest keeps its reserve, stays alive, and gives all of it back."""
    with boot("caps=0x2e", f"target={target}") as run:
        run.guest.wait_for(lambda e: e.has(balloon="vmware") and e.number("actual", 0) > 40000, TIMEOUT)
        short = run.guest.wait_for(lambda e: e.has(balloon="vmware", event="shortfall"), TIMEOUT)
        assert short.number("actual") <= short.number("limit") < short.number("target") == target
        assert run.guest.ask("mem", event="mem").number("free") > 0
        run.say("target=0")
        run.guest.wait_for(lambda e: e.has(balloon="vmware", target="0", actual="0"), TIMEOUT)
        finish(run)


@pytest.mark.parametrize("step", [1, 500, 511, 512, 513])
def test_a_target_that_flaps(boot, step):
    """Both targets of 4100 and 4600 fit the same number of blocks: nothing is ever given back (R-L-06)."""
    with boot("caps=0x2e", f"schedule={4100 + step},4100", "step=1", "repeat=1") as run:
        time.sleep(2)
        audit = run.audit()
        assert abs(audit.number("locked") - 4100) <= step + SLACK
        if step <= 500:
            assert audit.number("unlocks") == 0
        run.say("repeat=0")
        run.wait("schedule", TIMEOUT, event="over")
        finish(run)


def test_a_target_that_moves_within_a_cycle(boot):
    run, _ = play(boot, "caps=0x2", *schedule(3000, 0, 3000), "fault=lock@100:target=200",
                  "fault=lock@1500:target=50", "fault=unlock@20:target=4000")
    assert run.said("fault")


def test_fewer_capabilities_after_a_reset(boot):
    """0x3e, basic, all again."""
    run, _ = play(boot, "caps=0x2e", *schedule(*(6000, 1000) * 6), "fault=start@2:caps=0x2",
                  "fault=start@3:caps=0x2e", "fault=get-target@5:reset", "fault=get-target@15:reset")
    assert [s.number("granted") for s in run.said("start")] == [0x2E, 0x02, 0x2E]


@pytest.mark.parametrize("claim, can_lock", [(0, 0), (2, 1), (4, 1), (8, 0), (0x0C, 1), (0xFFFFFFFF, 1)])
def test_start_that_claims_anything(boot, claim, can_lock):
    """SUCCESS_WITH_CAPABILITIES and any set of them: only what was asked for is used, and blocks only beside batches;
    then a sane START."""
    run, _ = play(boot, "caps=0x2e", *schedule(3000, 0), "step=20", f"fault=start@1:ecx={claim:#x}",
                  "fault=get-target@10:reset", "fault=start@2:caps=0x2e")
    assert len(run.said("start")) == 2
    assert (run.said("reset")[0].number("locked") >= 3000) == can_lock


def test_nobody_is_there(boot):
    """All ones from the first START on: not attached, and not a single further call."""
    with boot("caps=0x2e", "target=3000", "fault=any@1+0:silence") as run:
        time.sleep(1)
        run.guest.send("poweroff")
        status, audit = run.finish()
    vmhost.check_clean(audit)
    assert (status, audit.number("calls"), audit.number("locked")) == (0, 1, 0)


def test_silence_in_the_middle(boot):
    """The port falls silent, then is back with RESET: the guest keeps its pages, then recovers."""
    run, _ = play(boot, "caps=0x2e", *schedule(5000, 1000, 4000), "fault=any@6+20:silence",
                  "fault=any@26:reset")
    assert len(run.said("start")) >= 2


def test_live_targets(boot):
    with boot("caps=0x2e") as run:
        for target in (10240, 512, 0, 20480, 0):
            run.say(f"target={target}")
            run.guest.wait_for(lambda e, t=str(target): e.has(balloon="vmware", target=t, actual=t), TIMEOUT)
        assert finish(run).number("locked") == 0


def test_a_target_that_changes_between_two_polls(boot):
    """`later=`: the monitor's clock begins when the target changes, not when the guest asks, and ends a block off."""
    with boot("caps=0x2e", f"met={SLACK}", config="loglevel=warn vmware.poll=1s") as run:
        before = run.now()
        run.say("later=300,5120")
        met = run.wait("met", after=before)
        told = run.said("target", frames=5120)[0]
        assert told.t - told.number("since") > 500_000_000
        assert met.t > told.t and abs(met.number("locked") - 5120) <= SLACK
        assert met.number("polls") == told.number("polls")
        finish_at(run, 5120)


def test_a_reset_out_of_the_blue(boot):
    """As after a migration: all locks are forgotten, and the balloon grows again."""
    with boot("caps=0x2e") as run:
        run.say("target=10240")
        run.guest.wait_for(lambda e: e.has(balloon="vmware", actual="10240"), TIMEOUT)
        run.say("reset")
        run.wait("start", TIMEOUT, after=run.wait("reset").t)
        finish_at(run, 10240)


def test_both_balloons_at_once(boot, rng):
    """Both targets move before either is met, in the image that looks at its books behind every acknowledgement of
    the virtio host. Each time they rest, both hosts hold what they want, no frame has two owners, and none is lost."""
    with boot("caps=0x2e", image="aerostat-test.elf", balloon="virtio-balloon-pci", ram="shared") as run:
        both = Driven(run.guest, Case("both"))
        total = run.guest.spec.memory
        for _ in range(6):
            for _ in range(10):
                virtio, vmware = rng.randrange(160, 257) * MIB, 512 * rng.randrange(41)
                run.guest.qmp.balloon(virtio)
                run.say(f"target={vmware}")
                time.sleep(rng.random() / 10)
            check_both_rest(run, both, virtio, vmware)
        run.guest.qmp.balloon(total)
        run.say("target=0")
        check_both_rest(run, both, total, 0)
        books = run.guest.ask("mem check", event="mem")
        assert books.number("ballooned") == 0
        assert both.events(balloon="virtio", event="broken") == []
        swing = [event.number("most") - event.number("least") for event in both.events(event="books")]
        assert swing and swing[-1] * 4096 <= KERNEL_SWING
        finish(run)


def check_both_rest(run, both, virtio, vmware):
    """Wait for both targets (a rest of a block may stay with VMware); then the audits."""
    deadline = time.monotonic() + TIMEOUT
    while run.guest.qmp.query_balloon() != virtio or not 0 <= run.audit().number("locked") - vmware <= SLACK:
        assert time.monotonic() < deadline, (run.guest.qmp.query_balloon(), run.said("audit")[-1])
        time.sleep(0.05)
    locked = run.audit().number("locked")
    assert run.said("audit")[-1].number("violations") == 0
    mem = both.mem("mem check")
    assert mem.number("ballooned") == run.guest.spec.memory - virtio + locked * 4096
    maps = both.maps("virtio", "vmware")
    assert sum(frames for _, frames in maps["vmware"]) == locked
    assert overlap(maps["virtio"], run.guest.ram_file.data()) == 0
    pages = sorted(maps["virtio"] + maps["vmware"])
    assert all(first + frames <= other for (first, frames), (other, _) in zip(pages, pages[1:]))


def free_blocks(mem):
    return mem.number("free_blocks_touched") + mem.number("free_blocks_untouched")


@pytest.mark.parametrize("level, device", [("basic", ""), ("batch", ""), ("batch", "virtio-balloon-pci")])
def test_ballooned_frames_move_together(boot, level, device):
    """R-L-16: a balloon that took every other page of an app gives whole blocks back by compaction, same size."""
    with boot(f"caps={vmhost.LEVELS[level]:#x}", image="aerostat-test.elf", memory=160 * MIB, balloon=device) as run:
        run.guest.ask("run scatter", TIMEOUT, event="scattered")
        run.say("target=18000")
        run.guest.wait_for(lambda e: e.has(balloon="vmware", actual="18000"), TIMEOUT)
        run.guest.ask("<", TIMEOUT, event="scattered")
        run.guest.ask("<", TIMEOUT, event="app_exit")
        before = run.guest.ask("mem check", TIMEOUT, event="mem")
        since = run.guest.seen
        run.guest.ask("mem compact", TIMEOUT, event="compact")
        run.guest.wait_for(lambda e: e.has(balloon="vmware", event="moved"), TIMEOUT, since)
        after = run.guest.ask("mem check", TIMEOUT, event="mem")
        assert free_blocks(after) > 2 * free_blocks(before)
        assert after.number("ballooned") == before.number("ballooned")
        assert run.audit().number("locked") == 18000
        run.say("target=0")
        finish_at(run, 0)


def test_two_runs_under_icount_are_the_same(boot):
    """Nobody types a word: an app runs, the targets move, the guest switches itself off. All that the monitor and the
    guest say is the same to the last byte, times included."""
    config = 'vmware.poll=10ms run="run churn --live=30% --seconds=2s; vmmemctl; mem check; poweroff"'
    logs = []
    for _ in range(2):
        serial = io.BytesIO()
        with boot("caps=0x2e", "trace=1", *schedule(6000, 1000, 3000), "step=40", config=config, serial_log=serial,
                  extra=("-icount", "shift=1,sleep=off")) as run:
            status, audit = run.finish(TIMEOUT)
        vmhost.check_clean(audit)
        assert (status, audit.get("why")) == (0, "power-off")
        assert audit.number("locked") == last_size(run) >= 3000
        assert run.said("schedule", event="over")
        logs.append(([str(line) for line in run.lines()], serial.getvalue()))
    assert logs[0][0] == logs[1][0]
    assert logs[0][1] == logs[1][1]


@pytest.mark.parametrize("level", ["basic", "batch", "block", "doorbell"])
def test_random_faults(boot, rng, level, soaking):
    """Any answer to any command at any time: the last target is met and nothing was done wrong."""
    for _ in range(50 if soaking else 1):
        words = [f"fault=get-target@{poll}:reset" for poll in range(40, 400, 40)]  # ends what has stopped for good
        words += [random_fault(rng) for _ in range(40)]
        targets = [rng.randrange(8000) for _ in range(12)]
        print(" ".join(words), targets)
        with boot(f"caps={vmhost.LEVELS[level]:#x}", *schedule(*targets), *words) as run:
            run.wait("schedule", TIMEOUT, event="over")
            run.say("calm")  # a reset right behind it has the guest begin again, a second later
            audit = finish_at(run, targets[-1], SLACK)
        assert abs(audit.number("locked") - targets[-1]) <= SLACK


def random_fault(rng):
    """Without what stops its command until the next START, which may never come: CMD_INVALID of a single LOCK or
    UNLOCK (test_a_command_that_became_invalid has it), and a START that succeeded for the guest only."""
    command = rng.choice(("start", "get-target", "guest-id", *LOCKS.values(), *UNLOCKS.values()))
    first = rng.randrange(2, 4000 if command in ("lock", "unlock") else 40)
    taboo = {"lock": 1, "unlock": 1, "start": SUCCESS_WITH_CAPS}.get(command)
    statuses = [status for status in (1, 2, 3, 4, 5, 6, 7, 8, *GARBAGE) if status != taboo]
    return f"fault={command}@{first}+{rng.choice((1, 1, 1, 2, 5))}:status={rng.choice(statuses):#x}"
