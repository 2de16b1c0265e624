# SPDX-License-Identifier: BSD-2-Clause
"""The progress line of a run: one line that redraws itself on a terminal, plain lines elsewhere."""

import shutil
import sys
import time

from .errors import GIB, MIB

WIDTH = 16
REDRAW = 0.1  # seconds between redraws on a terminal
PLAIN = 1.0  # and between plain lines


class Live:
    """update() as often as wanted; it draws when it is time to."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self._drawn_at = 0.0
        self._drawn = ""

    def update(self, state, force=False):
        """`state`: memory, phase, t_s, target, actual, rss in bytes, rate in bytes/s."""
        now = time.monotonic()
        if not force and now - self._drawn_at < (REDRAW if self.is_terminal else PLAIN):
            return
        self._drawn_at = now
        text = progress_line(state)
        if not self.is_terminal:
            self.line(text)
            return
        text = text[: shutil.get_terminal_size((100, 24)).columns - 1]
        self._write("\r" + text + " " * max(0, len(self._drawn) - len(text)))
        self._drawn = text

    def line(self, text):
        """A line that stays, above the progress line."""
        if self._drawn:
            self._write("\r" + " " * len(self._drawn) + "\r")
            self._drawn = ""
        self._write(text + "\n")

    def done(self):
        if self._drawn:
            self._write("\n")
            self._drawn = ""

    def _write(self, text):
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads: the run and its records go on


def progress_line(state):
    """The text: bar of what the guest has, then the figures."""
    rate = state.get("rate") or 0
    parts = [f"{state['t_s']:6.1f} s",
             f"[{bar(state['actual'], state['target'], state['memory'])}]",
             f"{state['phase']:<10}",
             f"target {state['target'] / MIB:5.0f} actual {state['actual'] / MIB:5.0f}",
             f"rss {state['rss'] / MIB:5.0f} MiB", f"{rate / GIB:5.2f} GiB/s" if rate else ""]
    return " ".join(parts).rstrip()


def bar(actual, target, memory):
    """#: what the guest has; |: where the target is."""
    filled = min(WIDTH, round(WIDTH * actual / memory))
    mark = min(WIDTH - 1, max(0, round(WIDTH * target / memory) - 1))
    cells = ["#"] * filled + ["."] * (WIDTH - filled)
    cells[mark] = "|"
    return "".join(cells)
