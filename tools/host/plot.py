# SPDX-License-Identifier: BSD-2-Clause
"""`aerostat plot`: target, actual, guest free and host RSS over time, phases shaded."""

import json
import pathlib

from .errors import EXIT_PASS, MIB, ToolError
from .rundir import read_samples, writing

COLOURS = {"target": "#1f2933", "actual": "#2563eb", "free": "#16a34a", "rss": "#ea580c"}
# Shade by the direction of the phase: what the host gets back, what it gives, what only waits.
SHADES = {"shrink": "#dbeafe", "grow": "#fef3c7", "guest": "#ede9fe", "still": "#f3f4f6"}


class NoMatplotlib(ToolError):
    """The run is fine; there is only no picture of it."""


def add_arguments(parser):
    parser.add_argument("rundir", help="a folder `aerostat run` has written")


def main(args):
    print("\n".join(str(pathlib.Path(args.rundir) / name) for name in draw(args.rundir)))
    return EXIT_PASS


def draw(folder):
    """Write plot.svg and plot.png into the run directory; returns their names."""
    folder = pathlib.Path(folder)
    samples = _without_boot(read_samples(folder / "samples.csv"))
    if len(samples) < 2:
        raise ToolError(f"{folder}: too few samples for a picture")
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise NoMatplotlib("no picture: python3-matplotlib is missing (run `make setup`)") from None
    matplotlib.rcParams.update({
        "svg.hashsalt": "aerostat", "font.size": 9.5, "font.family": "DejaVu Sans",
        "axes.edgecolor": "#9ca3af", "axes.linewidth": 0.8, "xtick.color": "#4b5563",
        "ytick.color": "#4b5563", "axes.labelcolor": "#374151", "text.color": "#111827"})
    figure, axes = pyplot.subplots(figsize=(10.5, 5.2), layout="constrained")
    try:
        _lines(axes, samples)
        _phases(axes, samples)
        _frame(figure, axes, samples, folder)
        with writing(folder / "plot.svg"):
            figure.savefig(folder / "plot.svg", metadata={"Date": None})
            figure.savefig(folder / "plot.png", dpi=144, metadata={"Software": None})
    finally:
        pyplot.close(figure)
    return ["plot.svg", "plot.png"]


def _without_boot(samples):
    """All but a short end of the boot: firmware takes as long as all the rest."""
    ready = next((row["t_s"] for row in samples if row["phase"] != "boot"), None)
    if ready is None:
        return samples
    start = ready - 0.06 * (samples[-1]["t_s"] - ready)
    return [row for row in samples if row["t_s"] >= start]


def _lines(axes, samples):
    times = [row["t_s"] for row in samples]

    def values(column):
        return [row[column] / MIB if row[column] is not None else float("nan") for row in samples]

    resident = values("file_bytes" if samples[-1]["file_bytes"] is not None else "rss_bytes")
    name = "host: RAM file" if samples[-1]["file_bytes"] is not None else "host RSS of QEMU"
    axes.fill_between(times, resident, color=COLOURS["rss"], alpha=0.12, linewidth=0, zorder=2)
    axes.plot(times, resident, color=COLOURS["rss"], linewidth=1.6, label=name, zorder=3)
    axes.plot(times, values("guest_free_bytes"), color=COLOURS["free"], linewidth=1.4,
              label="guest: free memory", zorder=4)
    axes.plot(times, values("actual_bytes"), color=COLOURS["actual"], linewidth=2.4,
              label="actual (guest size)", zorder=5)
    axes.plot(times, values("target_bytes"), color=COLOURS["target"], linewidth=1.2,
              linestyle=(0, (4, 2)), drawstyle="steps-post", label="target", zorder=6)


def phase_ranges(samples):
    """(name, start, end, kind) of each phase, from the phase column of the samples."""
    ranges = []
    for row in samples:
        if not ranges or ranges[-1][0]["phase"] != row["phase"]:
            ranges.append([row, row])
        ranges[-1][1] = row
    result = []
    for index, (first, last) in enumerate(ranges):
        end = ranges[index + 1][0]["t_s"] if index + 1 < len(ranges) else last["t_s"]
        delta = last["target_bytes"] - ranges[index - 1][1]["target_bytes"] if index else 0
        kind = "shrink" if delta < 0 else "grow" if delta > 0 else "still"
        if first["phase"].startswith(("fill", "free")):
            kind = "guest"
        result.append((first["phase"], first["t_s"], end, kind))
    return result


def _phases(axes, samples):
    """Shaded bands; names stand above the plot, slanted where bands are narrow."""
    ranges = phase_ranges(samples)
    whole = ranges[-1][2] - ranges[0][1]
    is_tight = any(end - start < whole * 0.075 for _, start, end, _ in ranges)
    for name, start, end, kind in ranges:
        axes.axvspan(start, end, color=SHADES[kind], alpha=0.75, linewidth=0, zorder=0)
        axes.axvline(start, color="white", linewidth=1.2, zorder=1)
        axes.annotate(name, ((start + end) / 2, 1.0), xycoords=("data", "axes fraction"),
                      xytext=(0, 3), textcoords="offset points", fontsize=8.5, color="#374151",
                      ha="left" if is_tight else "center", va="bottom",
                      rotation=38 if is_tight else 0, rotation_mode="anchor")


def _frame(figure, axes, samples, folder):
    axes.set_xlim(samples[0]["t_s"], samples[-1]["t_s"])
    top = max(max(row["actual_bytes"], row["rss_bytes"]) for row in samples) / MIB
    axes.set_ylim(0, top * 1.06)
    axes.set_xlabel("seconds since QEMU's start")
    axes.set_ylabel("MiB")
    axes.grid(axis="y", color="#d1d5db", linewidth=0.6, zorder=1)
    axes.tick_params(length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.11),
                ncols=4, frameon=False)
    figure.suptitle(_title(folder), fontsize=11.5, x=0.015, ha="left", weight="bold")


def _title(folder):
    try:
        guest = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["guest"]
        return ("Aerostat: {boot} on {machine}, {accel}, ".format(**guest)
                + f"{guest['memory'] // MIB} MiB {guest['ram']} RAM")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"Aerostat: {folder.name}"
