# SPDX-License-Identifier: BSD-2-Clause
"""Unit tests of bench/peer_vmware.py: when a target changes, what the monitor's lines mean, what a row tells."""

import os
import sys

import pytest
from host import events

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))

import peer_vmware as peer  # noqa: E402

COSTS = {"get-target": 13e3, "lock": 14e3, "unlock": 12e3}


@pytest.mark.parametrize("count", [1, 2, 7, 9])
def test_targets_change_evenly_over_the_time_between_polls(count):
    shares = [peer.share_of(turn, count) for turn in range(1, count + 1)]
    assert shares == pytest.approx([(i + 0.5) / count for i in range(count)])
    assert 0 < peer.share_of(0, count) < 1


def test_the_clock_begins_when_the_target_changes_not_when_it_is_told():
    told = events.parse_line("@ t=3000000000 vmhost=target frames=65536 locked=0 polls=9 since=2250000000")
    met = events.parse_line("@ t=3020000000 vmhost=met frames=65536 locked=65536 polls=9")
    assert peer.times(told, met) == {"met": 0.77, "moving": 0.02}


def account(locks, unlocks, calls, polls):
    lines = (f"@ t=1 vmhost=audit locks={locks} unlocks={unlocks} calls={calls}", f"@ t=1 vmhost=calls get_target={polls}")
    return tuple(map(events.parse_line, lines))


def test_calls_are_counted_beside_polls_for_each_gib_that_moved():
    quarter = 65536
    assert peer.calls_per_gib(account(0, 0, 10, 8), account(quarter, 0, 25, 20)) == 4 * 3
    assert peer.calls_per_gib(account(quarter, 0, 25, 20), account(quarter, quarter, 25 + quarter, 20)) == 4 * quarter


def test_the_floor_is_that_of_the_fewest_calls():
    def seconds(title, move):
        return peer.floor_seconds(peer.LEVELS[title], move, COSTS)

    assert seconds("basic", peer.INFLATE) == pytest.approx(65536 * 14e-6)
    assert seconds("basic", peer.DEFLATE) == pytest.approx(65536 * 12e-6)
    assert seconds("batched", peer.DEFLATE) == pytest.approx(128 * 13e-6)
    assert seconds("batched-2m", peer.INFLATE) == pytest.approx(13e-6)


def turns(*met):
    return [{move: {"met": one, "moving": one / 2, "CPU": one / 4} for move in (peer.INFLATE, peer.DEFLATE)} for one in met]


def test_rows_are_ratios_of_medians_with_linux():
    samples = {peer.OURS: turns(1.0, 2.0, 9.0), peer.CLASSIC: turns(4.0), peer.LINUX: turns(5.0, 4.0, 100.0)}
    rows = peer.summarise("basic", samples, [COSTS])
    assert len(rows) == 2 * 2 * len(peer.FIGURES)
    first, moving = rows[:2]
    assert (first["guest"], first["move"], first["figure"]) == (peer.OURS, peer.INFLATE, "met")
    assert first["ratio"] == 2.5 and first["floor"] is None
    assert moving["floor_ratio"] == pytest.approx(65536 * 14e-6)
    assert rows[2 * len(peer.FIGURES)]["ratio"] == 1.25
    text = peer.table(rows)
    assert "**2.50**" in text and {line.count("|") for line in text.splitlines()} == {10}
    counts = {"basic": {peer.INFLATE: {peer.OURS: 262144.0, peer.LINUX: 4 / 3}}}
    assert "| basic | inflate | 262,144 | 1.33 |" in peer.calls_table(counts)


def test_what_a_call_costs_is_told():
    assert peer.costs_told([COSTS]) == "a call costs 13.0 µs (get-target), 14.0 µs (lock), 12.0 µs (unlock)"
