# SPDX-License-Identifier: BSD-2-Clause
"""The monitor that plays VMware, tested itself: a small guest (tests/vmhost/probe.c) does what no driver may,
and each deed must be caught, named, and end the run as failed."""

import pytest
import vmhost

pytestmark = pytest.mark.e2e

VICTIM = 0x2000000  # of probe.c
MACHINES = ("q35,smm=off", "pc,smm=off", "microvm,pit=on,pic=on,isa-serial=on")
PAGE = 4096


@pytest.fixture
def probe(build, tmp_path):
    """As vmhost.probe(), after the checks that hold for every run."""
    def run(name, *words, **options):
        status, said, lines = vmhost.probe(build, name, tmp_path, words, **options)
        audit = lines[-1]
        assert audit.get("vmhost") == "audit", lines
        violations = [line for line in lines if line.get("vmhost") == "violation"]
        assert audit.number("violations") == len(violations)
        assert (status == vmhost.EXIT_VIOLATION) == bool(violations), (status, lines)
        assert all(line.number("rip") for line in violations)
        return status, said, violations, audit
    return run


def kinds(violations):
    return [line.get("kind") for line in violations]


@pytest.mark.parametrize("machine", MACHINES, ids=["q35", "pc", "microvm"])
def test_a_guest_that_obeys(probe, machine):
    status, said, violations, audit = probe("clean", machine=machine)
    assert (status, kinds(violations)) == (1, [])
    assert said["lock"] == said["unlock"] == [0, 0]
    assert said["kept"] == [0], "the frame's contents survived the lock"
    assert (audit.number("locks"), audit.number("unlocks"), audit.number("locked")) == (2, 2, 0)


def test_it_looks_like_vmware(probe):
    status, said, _, _ = probe("ids")
    assert status == 1
    text = b"".join(said[f"leaf-{reg}"][0].to_bytes(4, "little") for reg in ("ebx", "ecx", "edx"))
    assert text == b"VMwareVMware"
    assert said["leaf-max"] == [0x40000010]
    assert said["hypervisor"] == [1]
    assert said["hypercalls"] == said["svm"] == [0]
    assert said["khz"][0] > 100_000
    assert (said["version"], said["version-magic"]) == ([6], [0x564d5868])
    assert said["unknown-command"] == said["bad-magic"] == [0xFFFFFFFF]
    assert said["narrow"] == [0xFFFF], "an IN of two bytes is no call"
    assert said["debugcon"] == said["com2"] == [0xFF], "the monitor's own ports are not the guest's"


def test_its_cpuid_can_be_hidden(probe):
    status, said, _, _ = probe("ids", "cpuid=0")
    assert status == 1
    assert said["hypervisor"] == said["leaf-max"] == said["leaf-ebx"] == said["khz"] == [0]
    assert said["version"] == [6], "the port answers as ever"


@pytest.mark.parametrize("name, kind, offset", [
    ("read", "touch-read", 4), ("write", "touch-write", 8), ("fetch", "touch-fetch", 0),
    ("walk", "touch-walk", 0), ("unpaged", "touch-read", 0), ("delivery", "touch-delivery", 6 * 16)])
def test_a_touch_is_caught(probe, name, kind, offset):
    _, said, violations, audit = probe(name)
    assert said["lock"] == [0]
    assert kinds(violations) == [kind]
    assert violations[0].number("about") == VICTIM + offset
    assert (audit.get("why"), audit.number("locked")) == ("touch", 1)


def test_a_fetch_is_named_by_its_target(probe):
    _, _, violations, _ = probe("fetch")
    assert violations[0].number("rip") == VICTIM


def test_an_interrupt_that_was_cut_off_is_delivered_again(probe):
    _, said, violations, _ = probe("interrupt", "heal=1", "scribble=0")
    assert kinds(violations) == ["touch-delivery"]
    assert said["ticks"] == [1]


def test_the_monitor_itself_is_out_of_reach(probe):
    _, _, violations, audit = probe("monitor")
    assert kinds(violations) == ["touch-monitor"]
    assert audit.get("why") == "stray"


@pytest.mark.parametrize("name, key, answers, kind", [
    ("double-lock", "lock", [0, 3], ["double-lock"]),
    ("double-unlock", "unlock", [0, 4], ["unlock-free"]),
    ("never-locked", "unlock", [4], ["unlock-free"]),
    ("outside", "lock", [2, 2], ["invalid-frame"] * 2),
    ("not-granted", "batch", [1], ["not-granted"]),
])
def test_a_wrong_command_is_refused_and_counted(probe, name, key, answers, kind):
    _, said, violations, _ = probe(name)
    assert said[key] == answers
    assert kinds(violations) == kind


def test_reserved_bits_and_counts_of_a_batch(probe):
    _, said, violations, _ = probe("reserved-bits", "caps=0x6")
    assert said["batch"] == [0, 2]
    assert kinds(violations) == ["batch-reserved", "batch-count"]


def test_only_start_may_follow_a_reset(probe):
    _, said, violations, audit = probe("order", "fault=get-target:reset")
    assert said["target"] == [7, 7]
    assert kinds(violations) == ["order"]
    assert (audit.number("locked"), audit.number("forgotten")) == (0, 1)


def test_what_a_device_writes_to_a_locked_frame_shows_at_the_unlock(probe):
    _, said, violations, _ = probe("dma")
    assert said["dma"] == [0], "fw_cfg refused"
    assert kinds(violations) == ["pattern"]


def test_blocks_and_frames_are_told_apart(probe):
    _, said, violations, audit = probe("holding", "caps=0x3e")
    assert said["granted"] == [0x3E]
    assert said["block"] == said["batch"] == [0]
    assert [entry & 31 for entry in said["entry0"]] == [0, 4], "a block is not unlocked by its frames"
    assert [entry & 31 for entry in said["entry1"]] == [3, 4]
    assert said["entry1"][0] & ~31 == VICTIM, "bits above the status changed"
    assert kinds(violations) == ["double-lock", "unlock-free", "unlock-free"]
    assert (audit.number("locked"), audit.number("in_blocks")) == (513, 512)


def test_efer_without_svme(probe):
    status, said, violations, _ = probe("efer")
    assert (status, kinds(violations)) == (1, [])
    assert said["efer"] == [0xD00], "the guest sees SVME"
    assert said["undefined"] == [1], "VMMCALL is no #UD"
    assert said["lock"] == said["unlock"] == [0]


def test_a_triple_fault_is_the_end(build, tmp_path):
    status, _, lines = vmhost.probe(build, "triple", tmp_path)
    assert status == vmhost.EXIT_SHUTDOWN
    assert [line.get("vmhost") for line in lines[-3:]] == ["shutdown", "calls", "audit"]


def test_a_call_costs_microseconds(build, tmp_path):
    """Between 1 us and 10 ms: no bound that a busy host could break. The figures are printed."""
    costs = vmhost.floor(build, tmp_path)
    print("ns a call:", {name: round(cost) for name, cost in costs.items()})
    assert all(1_000 < cost < 10_000_000 for cost in costs.values())


@pytest.mark.parametrize("word", ["cap=2", "target=many", "fault=lock", "fault=lock@:reset",
                                  "fault=lock:status=", "fault=sell:reset", "schedule=1,,2"])
def test_a_word_that_means_nothing_is_refused(build, tmp_path, word):
    status, _, lines = vmhost.probe(build, "clean", tmp_path, [word])
    assert status == vmhost.EXIT_UNABLE
    assert lines[-2].get("unknown") == word


def test_a_run_under_icount_is_the_same_twice(build, tmp_path):
    icount = ("-icount", "shift=1,sleep=off")
    first = vmhost.probe(build, "interrupt", tmp_path, ["heal=1", "scribble=0"], extra=icount)
    again = vmhost.probe(build, "interrupt", tmp_path, ["heal=1", "scribble=0"], extra=icount)
    assert list(map(str, first)) == list(map(str, again))
