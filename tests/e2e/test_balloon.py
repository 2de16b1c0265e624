# SPDX-License-Identifier: BSD-2-Clause
"""The balloon's behaviour towards a host that asks much: statistics, resets, limits, abuse."""

import io
import os
import time

import pytest
from cases import BALLOON, FEATURES, FILLED_1G, OOM, POISON, SPARSE_64G, TRANSPORTS
from host.errors import GIB, MIB
from host.host_memory import PAGE
from host.qemu import BALLOON_PATH
from host.qmp import QmpRefused

pytestmark = pytest.mark.e2e
UNKNOWN = (1 << 64) - 1
FILL_WORD = 0x9E3779B97F4A7C15  # kernel/command_mem.c: each page begins with its number times this
# What this guest can answer truthfully; QEMU 7.2 passes on the first ten tags only.
STATS = ("stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults",
         "stat-free-memory", "stat-total-memory", "stat-available-memory", "stat-disk-caches",
         "stat-htlb-pgalloc", "stat-htlb-pgfail")


def next_stats(guest, after, timeout=10):
    """The first statistics newer than `after`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        updated, stats = guest.qmp.guest_stats(BALLOON_PATH)
        if updated > after:
            return updated, stats
        time.sleep(0.1)
    raise AssertionError("statistics do not advance")


def test_statistics_answer_and_advance(boot):
    with boot(BALLOON) as guest:
        guest.qmp.execute("qom-set", path=BALLOON_PATH, property="guest-stats-polling-interval",
                          value=1)
        updated, _ = next_stats(guest, 0)  # may be from the driver's start, before all is set up
        updated, stats = next_stats(guest, updated)
        assert [name for name in STATS if stats[name] == UNKNOWN] == []
        memory = guest.mem()
        managed = stats["stat-total-memory"]
        assert 0 <= memory.number("total") - managed <= memory.number("kernel")
        for name, state in (("free-memory", "free"), ("available-memory", "available"),
                            ("disk-caches", "volatile")):
            assert stats[f"stat-{name}"] == memory.number(state), name
        guest.guest.ask("fill 32M", timeout=30, event="fill")
        updated, later = next_stats(guest, updated + 1)
        assert later["stat-free-memory"] <= stats["stat-free-memory"] - 32 * MIB
        guest.go_to(BALLOON.memory // 2)  # R-V-44: what is in the balloon is not memory now
        updated, later = next_stats(guest, updated + 1)
        assert later["stat-total-memory"] == managed - BALLOON.memory // 2
        guest.qmp.execute("stop")
        time.sleep(1.5)
        guest.qmp.execute("cont")
        updated, _ = next_stats(guest, max(updated, int(time.time()) - 1))
        next_stats(guest, updated)


@pytest.mark.parametrize("setting, tags", [("", 16), ("full", 16), ("classic", 10)])
def test_the_setting_says_which_tags_are_sent(boot, setting, tags):
    """QEMU 7.2 passes on ten in any case, so the guest itself is asked; no tag is left empty by fewer."""
    with boot(BALLOON, config=f"balloon.stats={setting}" if setting else "") as guest:
        guest.qmp.execute("qom-set", path=BALLOON_PATH, property="guest-stats-polling-interval",
                          value=1)
        updated, _ = next_stats(guest, 0)
        _, stats = next_stats(guest, updated)
        assert [name for name in STATS if stats[name] == UNKNOWN] == []
        since = guest.guest.seen
        guest.guest.send("stats")
        told = guest.guest.wait_for(lambda e: e.number("stats_tags") is not None, 10, since)
        assert told.number("stats_tags") == tags
        assert told.number("stats_answers") > 0


def filled_pages(guest):
    """How many pages of the RAM file begin with what `fill` puts there."""
    count, file = 0, guest.guest.ram_file
    for first, pages in file.data():
        data = os.pread(file.fd, pages * PAGE, first * PAGE)
        for page in range(pages):
            word = ((first + page) * FILL_WORD | 1) & UNKNOWN
            count += data[page * PAGE:page * PAGE + 8] == word.to_bytes(8, "little")
    return count


@pytest.mark.parametrize("case", [BALLOON, POISON], ids=["off", "zero"])
def test_freed_memory_is_zero_where_that_is_promised(boot, case):
    with boot(case) as guest:
        pages = guest.guest.ask("fill 32M", timeout=30, event="fill").number("bytes") // PAGE
        assert filled_pages(guest) == pages
        guest.guest.ask("free", timeout=30, event="free")
        assert filled_pages(guest) == (0 if case is POISON else pages)


def test_reset_with_an_inflated_balloon_starts_clean(boot):
    with boot(BALLOON, reboot=True) as guest:
        guest.go_to(BALLOON.memory // 2)
        since = guest.guest.seen
        guest.qmp.execute("system_reset")
        guest.wait_ready(since)
        attached = guest.events(since, balloon="virtio", event="attached")
        assert len(attached) == 1
        guest.go_to(BALLOON.memory // 2)  # QEMU keeps the target over a reset
        assert guest.check_size() == BALLOON.memory // 2
        guest.guest.send("stats")
        stats = guest.guest.wait_for(lambda e: e.number("inflated") is not None, 10, since)
        assert stats.number("inflated") == BALLOON.memory // 2 // PAGE, "took over the old size"
        assert stats.number("deflated") == 0
        guest.go_to(BALLOON.memory)
        assert guest.map() == []


def test_target_beyond_reach_settles_at_the_reserve(boot):
    with boot(BALLOON) as guest:
        guest.fill_and_free()
        guest.qmp.balloon(MIB)
        actual = guest.settle()
        assert actual > MIB
        assert guest.check_size() == actual
        memory = guest.mem()
        assert memory.number("reserve") == 4 * MIB
        assert memory.number("free") <= memory.number("reserve") + 2 * MIB
        assert memory.number("free") >= memory.number("reserve") - 64 * PAGE
        share = guest.cpu_share()
        assert share < 0.03, f"{share:.1%} of a core while nothing can be done"
        assert guest.qmp.query_balloon() == actual
        guest.check_holes()
        guest.go_to(64 * MIB)


def test_absurd_targets(boot):
    with boot(BALLOON) as guest:
        guest.qmp.balloon(1)
        low = guest.settle()
        assert 0 < low < BALLOON.memory // 4
        guest.check_size()
        guest.qmp.balloon(1 << 50)
        assert guest.settle() == BALLOON.memory
        with pytest.raises(QmpRefused):
            guest.qmp.balloon(0)
        guest.go_to(BALLOON.memory - PAGE)
        assert guest.check_size() == BALLOON.memory - PAGE


def test_a_thousand_targets_a_second(boot, rng):
    with boot(BALLOON) as guest:
        guest.fill_and_free()
        start, sent = time.monotonic(), 0
        while time.monotonic() - start < 3:
            guest.qmp.balloon(rng.randrange(1, BALLOON.memory + 1))
            sent += 1
            time.sleep(max(0.0, start + sent / 1000 - time.monotonic()))
        print(f"{sent} commands in 3 s")
        guest.go_to(96 * MIB)
        assert guest.check_size() == 96 * MIB
        guest.check_holes()


def test_memory_comes_back_before_it_runs_out(boot):
    """DEFLATE_ON_OOM: a fill larger than what is left takes pages out of the balloon."""
    with boot(OOM) as guest:
        guest.go_to(48 * MIB)
        done = guest.guest.ask("fill 64M", timeout=30, event="fill")
        assert done.number("bytes") == 64 * MIB
        guest.guest.wait_for(lambda e: e.has(balloon="virtio", event="oom_deflate"), 5)
        assert guest.qmp.query_balloon() > 64 * MIB
        assert guest.cpu_share() < 0.03, "target and shortage fight"
        guest.check_size()
        guest.check_holes()


def test_without_deflate_on_oom_the_fill_stops(boot):
    with boot(BALLOON) as guest:
        guest.go_to(48 * MIB)
        done = guest.guest.ask("fill 64M", timeout=30, event="fill")
        assert 24 * MIB < done.number("bytes") < 48 * MIB
        assert guest.check_size() == 48 * MIB


@pytest.mark.parametrize("case, limit, is_filled",
                         [(FILLED_1G, 6 * MIB, True), (SPARSE_64G, 12 * MIB, False)],
                         ids=[FILLED_1G.name, SPARSE_64G.name])
def test_ballooned_to_the_end_the_host_has_it_all(boot, case, limit, is_filled):
    with boot(case) as guest:
        if is_filled:
            assert guest.fill_and_free("90%") > 800 * MIB
            assert guest.guest.ram_file.allocated() > 800 * MIB
        guest.qmp.balloon(MIB)
        actual = guest.settle(quiet=1.5, timeout=150)
        held = guest.guest.ram_file.allocated()
        print(f"{case.name}: actual {actual / MIB:.2f} MiB, RAM file {held / MIB:.2f} MiB")
        assert actual < case.memory // 16 or actual < GIB // 64
        assert held < limit


def test_detach_gives_everything_back(boot):
    with boot(BALLOON) as guest:
        guest.go_to(64 * MIB)
        guest.guest.ask("balloon detach", balloon="virtio", event="detached")
        assert guest.mem().number("ballooned") == 0
        guest.guest.ask("balloon attach", balloon="virtio", event="attached")
        guest.go_to(64 * MIB)
        assert guest.check_size() == 64 * MIB


@pytest.mark.parametrize("case, accepted, refused", FEATURES, ids=[c.name for c, *_ in FEATURES])
def test_features(boot, case, accepted, refused):
    log = io.BytesIO()
    with boot(case, log) as guest:
        attached = guest.events(balloon="virtio", event="attached")[0]
        bits = {bit for bit in range(64) if attached.number("features") >> bit & 1}
        names = log.getvalue().partition(b"balloon: features:")[2].splitlines()[0].split()
        assert len(names) == len(bits), names
        assert accepted <= bits and not refused & bits, sorted(bits)
        line = "gsi" if case.machine.startswith("microvm") else "intx"
        assert attached.get("irq") == ("poll" if "irq=poll" in case.config else line)
        guest.fill_and_free("50%")
        for part in (4, 2, 3, 1):
            guest.go_to(case.memory // part // PAGE * PAGE)
            guest.check_size()
            guest.check_holes()
        guest.qmp.balloon(case.memory // 2)  # a change while it stands, or is on its way
        guest.qmp.execute("stop")
        guest.qmp.execute("cont")
        guest.go_to(case.memory // 2)
        since = guest.guest.seen
        guest.guest.send("stats")
        stats = guest.guest.wait_for(lambda e: e.number("ring_errors") is not None, 10, since)
        assert stats.number("features") == attached.number("features")
        assert (stats.number("broken"), stats.number("ring_errors")) == (0, 0), stats


@pytest.mark.parametrize("case, transport, irq", TRANSPORTS, ids=[c.name for c, *_ in TRANSPORTS])
def test_transports(boot, rng, case, transport, irq):
    with boot(case) as guest:
        attached = guest.events(balloon="virtio", event="attached")
        assert [(e.get("transport"), e.get("irq")) for e in attached] == [(transport, irq)]
        assert attached[0].number("features") & ~attached[0].number("offered") == 0
        guest.fill_and_free("50%")
        for _ in range(5):
            guest.go_to(rng.randrange(24 * MIB // PAGE, case.memory // PAGE + 1) * PAGE)
            guest.check_size()
            guest.check_holes()
        guest.qmp.execute("qom-set", path=BALLOON_PATH, property="guest-stats-polling-interval",
                          value=1)
        _, stats = next_stats(guest, 0)
        assert stats["stat-total-memory"] != UNKNOWN
        guest.guest.ask("balloon detach", balloon="virtio", event="detached")
        guest.guest.ask("balloon attach", balloon="virtio", event="attached")
        guest.go_to(case.memory)
        assert guest.map() == []
        health = guest.guest.ask("stats", event="stats", irq=irq)
        faults = ("missed_irqs", "broken", "silences", "ring_errors", "restart_failures")
        assert {word: health.number(word) for word in faults} == dict.fromkeys(faults, 0)
