# SPDX-License-Identifier: BSD-2-Clause
"""Times balloon moves of two guests, one after the other in pairs, and compares the medians.

The machine that runs this is shared and noisy: single figures mean little, so every pair measures
both guests within seconds of each other, the first pair warms up and is dropped, and what is
reported is the ratio of the two medians; beside it that of the CPU time, which other load on the
machine moves much less.
"""

import statistics
import time
import typing

from guests import MIB, ToolError

PAGE = 4096
POLL_S = 0.002
MOVE_LIMIT_S = 120
PAUSE_S = 0.3  # between two moves: what a guest still does after the first shall not count
STILL_S = 3
STILL_LIMIT_S = 300

# What one turn of one guest measures, in this order. "Touched" memory was written by the guest
# and has backing on the host. After a shrink and a grow it has none: the second shrink moves
# untouched memory.
CASES = ("shrink touched", "grow after touched", "shrink untouched", "grow after untouched")


class Move(typing.NamedTuple):
    """What one move took: on the clock, and of CPU time of all QEMU threads."""

    wall_s: float
    cpu_s: float


class MoveError(ToolError):
    """A guest did not reach its target in time."""


def timed_move(qmp, target_bytes, clock=time.monotonic, sleep=time.sleep):
    """Seconds from sending the QMP `balloon` command until `query-balloon` equals the target."""
    start = clock()
    qmp.balloon(target_bytes)
    while True:
        actual = qmp.query_balloon()
        elapsed = clock() - start
        if actual == target_bytes:
            return elapsed
        if elapsed > MOVE_LIMIT_S:
            raise MoveError(f"target {target_bytes // MIB} MiB not reached in {MOVE_LIMIT_S} s: "
                            f"actual is {actual / MIB:.2f} MiB")
        sleep(POLL_S)


def settle(qmp, clock=time.monotonic, sleep=time.sleep):
    """(bytes of the guest, seconds until its last move) when `actual` has moved and then stood
    still for STILL_S: for targets that cannot be reached."""
    start = clock()
    moved = None
    last = qmp.query_balloon()
    while moved is None or clock() - moved < STILL_S:
        if clock() - start > STILL_LIMIT_S:
            raise MoveError(f"`actual` never moved, or still moves after {STILL_LIMIT_S} s")
        sleep(0.05)
        actual = qmp.query_balloon()
        if actual != last:
            last, moved = actual, clock()
    return last, moved - start


def one_turn(guest, high_bytes, low_bytes, fill_bytes, sleep=time.sleep):
    """One guest's part of a pair: a Move by case."""
    guest.fill_and_free(fill_bytes)
    moves = {}
    for case in CASES:
        sleep(PAUSE_S)
        target = low_bytes if case.startswith("shrink") else high_bytes
        cpu_before = guest.cpu_seconds()
        wall_s = timed_move(guest.qmp, target)
        moves[case] = Move(wall_s, guest.cpu_seconds() - cpu_before)
    return moves


def run_pairs(guests, pairs, turn, progress):
    """Runs pairs + 1 interleaved pairs and drops the first. `guests` maps a name to a guest; all
    but the one whose turn it is are stopped, so that they cost the host nothing. Which one goes
    first alternates. Returns Moves as {name: {case: [..]}}."""
    samples = {name: {case: [] for case in CASES} for name in guests}
    for guest in guests.values():
        guest.pause()
    for pair in range(pairs + 1):
        order = list(guests) if pair % 2 == 0 else list(guests)[::-1]
        for name in order:
            guests[name].resume()
            moves = turn(guests[name])
            guests[name].pause()
            progress(pair, name, moves)
            if pair > 0:
                for case in CASES:
                    samples[name][case].append(moves[case])
    return samples


def summarise(samples, moved_bytes, ours="aerostat", peer="linux"):
    """One entry per case: medians, cost per page, spread, and how many times faster ours is."""
    pages = moved_bytes // PAGE
    rows = []
    for case in CASES:
        row = {"case": case, "pages": pages}
        for key, name in (("ours", ours), ("peer", peer)):
            walls = [move.wall_s for move in samples[name][case]]
            cpus = [move.cpu_s for move in samples[name][case]]
            median = statistics.median(walls)
            row[key] = {"name": name, "median_s": median, "min_s": min(walls),
                        "max_s": max(walls), "us_per_page": median / pages * 1e6,
                        "cpu_median_s": statistics.median(cpus),
                        "samples_s": walls, "cpu_samples_s": cpus}
        for ratio, figure in (("ratio", "median_s"), ("cpu_ratio", "cpu_median_s")):
            row[ratio] = row["peer"][figure] / row["ours"][figure]
        rows.append(row)
    return rows


def table(rows):
    """The summary as a Markdown table, which is readable as plain text too."""
    ours, peer = rows[0]["ours"]["name"], rows[0]["peer"]["name"]
    lines = [f"| case | {ours} ms (min–max) | {peer} ms (min–max) | µs/page | "
             f"**{peer} / {ours}** | CPU ms | CPU {peer} / {ours} |",
             "|---|---|---|---|---|---|---|"]
    for row in rows:
        both = (row["ours"], row["peer"])
        cells = [row["case"]]
        cells += [f"{one['median_s'] * 1e3:.0f} ({one['min_s'] * 1e3:.0f}–"
                  f"{one['max_s'] * 1e3:.0f})" for one in both]
        cells.append(" : ".join(f"{one['us_per_page']:.2f}" for one in both))
        cells.append(f"**{row['ratio']:.2f}**")
        cells.append(" : ".join(f"{one['cpu_median_s'] * 1e3:.0f}" for one in both))
        cells.append(f"{row['cpu_ratio']:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
