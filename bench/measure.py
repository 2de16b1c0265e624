# SPDX-License-Identifier: BSD-2-Clause
"""Times balloon moves of two guests, one after the other in pairs, and compares the medians.

The machine that runs this is shared and noisy: single figures mean little, so every pair measures
both guests within seconds of each other, the first pair warms up and is dropped, and what is
reported is the ratio of the two medians.
"""

import statistics
import time

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
    """One guest's part of a pair: seconds by case."""
    guest.fill_and_free(fill_bytes)
    seconds = {}
    for case in CASES:
        sleep(PAUSE_S)
        target = low_bytes if case.startswith("shrink") else high_bytes
        seconds[case] = timed_move(guest.qmp, target)
    return seconds


def run_pairs(guests, pairs, turn, progress):
    """Runs pairs + 1 interleaved pairs and drops the first. `guests` maps a name to a guest; all
    but the one whose turn it is are stopped, so that they cost the host nothing. Which one goes
    first alternates. Returns seconds as {name: {case: [..]}}."""
    samples = {name: {case: [] for case in CASES} for name in guests}
    for guest in guests.values():
        guest.pause()
    for pair in range(pairs + 1):
        order = list(guests) if pair % 2 == 0 else list(guests)[::-1]
        for name in order:
            guests[name].resume()
            seconds = turn(guests[name])
            guests[name].pause()
            progress(pair, name, seconds)
            if pair > 0:
                for case in CASES:
                    samples[name][case].append(seconds[case])
    return samples


def summarise(samples, moved_bytes, ours="aerostat", peer="linux"):
    """One entry per case: medians, cost per page, spread, and how many times faster ours is."""
    pages = moved_bytes // PAGE
    rows = []
    for case in CASES:
        row = {"case": case, "pages": pages}
        for key, name in (("ours", ours), ("peer", peer)):
            values = sorted(samples[name][case])
            median = statistics.median(values)
            row[key] = {"name": name, "median_s": median, "min_s": values[0], "max_s": values[-1],
                        "us_per_page": median / pages * 1e6, "samples_s": samples[name][case]}
        row["ratio"] = row["peer"]["median_s"] / row["ours"]["median_s"]
        rows.append(row)
    return rows


def table(rows):
    """The summary as a Markdown table, which is readable as plain text too."""
    ours, peer = rows[0]["ours"]["name"], rows[0]["peer"]["name"]
    lines = [f"| case | {ours} ms (min–max) | {peer} ms (min–max) | {ours} µs/page | "
             f"{peer} µs/page | {peer} / {ours} |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row["case"]]
        for key in ("ours", "peer"):
            one = row[key]
            cells.append(f"{one['median_s'] * 1e3:.0f} ({one['min_s'] * 1e3:.0f}–"
                         f"{one['max_s'] * 1e3:.0f})")
        cells += [f"{row[key]['us_per_page']:.2f}" for key in ("ours", "peer")]
        cells.append(f"**{row['ratio']:.2f}**")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
