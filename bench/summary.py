# SPDX-License-Identifier: BSD-2-Clause
"""From samples to rows, and from rows to a Markdown table, which is readable as plain text too."""

import statistics
import typing

import floor
import turn
from guests import MIB

PAGE = floor.PAGE

# What is told of each case, and by which of its figures.
ROWS = ((turn.SHRINK_TOUCHED, "t_actual"), (turn.SHRINK_TOUCHED, "t_rss"),
        (turn.SHRINK_TOUCHED, "fallen"),
        (turn.SHRINK_UNTOUCHED, "t_actual"),
        (turn.RETURN, "t_actual"), (turn.RETURN, "t_first"), (turn.RETURN, "t_all"),
        (turn.RETURN_TOUCH, "t_touched"),
        (turn.STEP_DOWN, "t63"), (turn.STEP_DOWN, "t95"),
        (turn.STEP_UP, "t63"), (turn.STEP_UP, "t95"),
        (turn.REVERSED, "t_actual"), (turn.REVERSED, "overshoot"))
BYTES = ("fallen", "overshoot")  # figures that are no seconds

WHOLE = ("t_actual", "t_touched")  # figures that last as long as the CPU time was counted


class Figure(typing.NamedTuple):
    """One guest's part of a row: seconds or bytes over all pairs."""

    median: float
    low: float
    high: float
    samples: list


def figure_of(values):
    """The Figure of these values; None when one of them is missing."""
    if not values or None in values:
        return None
    return Figure(statistics.median(values), min(values), max(values), values)


def ratio(over, under):
    """How many times larger the first median is; None when there is nothing to compare."""
    if over is None or under is None or under.median == 0:
        return None
    return over.median / under.median


def floor_seconds(case, figure, plan, costs, reporting):
    """What the host alone takes for this by costs per page, or None where it has no part that was
    measured. Touched memory goes by the way that the device offers: reported first, or not; the steps are of
    such. A target that turns has at least the part of the way before it that was covered then."""
    moved, touched = (plan.high - plan.low) // PAGE, min(plan.fill, plan.high - plan.low) // PAGE
    back = costs[floor.REPORT_TOUCHED if reporting else floor.INFLATE_TOUCHED]
    after = costs[floor.INFLATE_REPORTED] if reporting else 0
    untouched = (moved - touched) * costs[floor.INFLATE_UNTOUCHED]
    again = costs[floor.TOUCH_REPORTED if reporting else floor.TOUCH_INFLATED]
    deflate, step = costs[floor.DEFLATE_BLOCKS], plan.step // PAGE
    floors = {(turn.SHRINK_TOUCHED, "t_actual"): touched * (back + after) + untouched,
              (turn.SHRINK_TOUCHED, "t_rss"): touched * back,
              (turn.SHRINK_UNTOUCHED, "t_actual"): moved * costs[floor.INFLATE_UNTOUCHED],
              (turn.RETURN, "t_actual"): moved * deflate,
              (turn.RETURN_TOUCH, "t_touched"): moved * deflate + touched * again,
              (turn.REVERSED, "t_actual"): turn.REVERSE_AT * moved * deflate}
    for name, part in (("t63", 0.63), ("t95", 0.95)):
        floors[turn.STEP_DOWN, name] = part * step * (back + after)
        floors[turn.STEP_UP, name] = part * step * deflate
    return floors.get((case, figure))


def summarise(samples, floors, plan, reporting):
    """One dict per row that some guest has a figure for."""
    rows = []
    for case, name in ROWS:
        figures = [figure_of([one[case].get(name) for one in samples[guest]]) for guest in samples]
        if not any(figures):
            continue
        ours, peer = figures
        cpus = [figure_of([one[case].get("cpu") for one in samples[guest]]) for guest in samples]
        host = figure_of([floor_seconds(case, name, plan, costs, reporting) for costs in floors])
        rows.append({"case": case, "figure": name, "ours": ours, "peer": peer, "floor": host,
                     "ratio": ratio(peer, ours), "floor_ratio": ratio(host, ours),
                     "cpu_ratio": ratio(cpus[1], cpus[0]) if name in WHOLE else None})
    return rows


def table(rows, backing, ours, peer):
    lines = [f"| case | figure | backing | {ours} (min–max) | {peer} (min–max) | "
             f"**{peer} / {ours}** | CPU {peer} / {ours} | host floor | floor / {ours} |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        is_bytes = row["figure"] in BYTES
        cells = [row["case"], row["figure"] + (" MiB" if is_bytes else " ms"), backing]
        cells += [spread(row[side], is_bytes) for side in ("ours", "peer")]
        times = number(row["ratio"])
        cells += [f"**{times}**" if row["ratio"] else times, number(row["cpu_ratio"])]
        cells += [plain(row["floor"]), number(row["floor_ratio"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(figure, is_bytes=False):
    if figure is None:
        return "–"
    scale = 1 / MIB if is_bytes else 1e3
    digits = 0 if figure.median * scale >= 10 else 2
    return (f"{figure.median * scale:.{digits}f} ({figure.low * scale:.{digits}f}–"
            f"{figure.high * scale:.{digits}f})")


def plain(figure):
    return "–" if figure is None else f"{figure.median * 1e3:.0f}"


def number(value):
    return "–" if value is None else f"{value:.2f}"
