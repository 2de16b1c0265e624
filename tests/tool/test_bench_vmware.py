# SPDX-License-Identifier: BSD-2-Clause
"""Unit tests of bench/peer_vmware.py: when a target changes, what the monitor's lines mean, what a row tells."""

import argparse
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


class Counted:
    """A player whose move takes a call for each letter of its name and for each ten frames of the target."""

    def __init__(self, name, options, level, memory, folder):
        self.name, self.level, self.told = name, level, options
        assert memory == peer.COUNT_MEMORY and os.path.isdir(folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.told.append((self.name, "gone"))

    def wait_ready(self):
        self.told.append((self.name, "ready"))

    def calls(self, frames):
        return len(self.name) + frames / 10


@pytest.mark.parametrize("title", peer.LEVELS)
def test_calls_are_counted_at_every_level_of_every_guest_alone(monkeypatch, title):
    monkeypatch.setattr(peer, "Player", Counted)
    names, told = peer.LEVELS[title].names, []
    counts = peer.count_calls(told, title)
    assert counts[peer.INFLATE] == {name: len(name) + peer.COUNT_MOVE / 40960 for name in names}
    assert counts[peer.DEFLATE] == {name: len(name) for name in names}
    assert told == [(name, what) for name in names for what in ("ready", "gone")]


def test_every_level_that_is_compared_is_counted(monkeypatch, capsys):
    """With a column for each guest; none is left out."""
    monkeypatch.setattr(peer, "compare", lambda options, title: (
        dict.fromkeys(peer.LEVELS[title].names, turns(1.0)), [COSTS]))
    monkeypatch.setattr(peer, "count_calls", lambda options, title: {
        peer.DEFLATE: dict.fromkeys(peer.LEVELS[title].names, 4 / 3)})
    options = argparse.Namespace(level=list(peer.LEVELS), init_on_alloc=False, pairs=1, json=None)
    assert peer.run(options) == 0
    said = capsys.readouterr().out.splitlines()
    for title, level in peer.LEVELS.items():
        classic = "1.33" if peer.CLASSIC in level.names else "–"
        assert f"| {title} | deflate | 1.33 | {classic} | 1.33 |" in said


def test_calls_by_the_thousand_are_whole():
    counts = {"basic": {peer.INFLATE: {peer.OURS: 262144.0, peer.CLASSIC: 262144.4, peer.LINUX: 4 / 3}}}
    assert "| basic | inflate | 262,144 | 262,144 | 1.33 |" in peer.calls_table(counts)


def test_what_a_call_costs_is_told():
    assert peer.costs_told([COSTS]) == "a call costs 13.0 µs (get-target), 14.0 µs (lock), 12.0 µs (unlock)"
