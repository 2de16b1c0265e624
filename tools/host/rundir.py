# SPDX-License-Identifier: BSD-2-Clause
"""The folder of one run: runs/<UTC>-<name>/ and the files in it.

    meta.json     versions, host, git, every argument
    cmd.sh        the run again; `cmd.sh qemu` starts QEMU alone, serial line on the terminal
    events.jsonl  what happened: guest's `@` lines, QMP events, phases of the tool
    samples.csv   target, actual, guest free and host memory over time
    summary.json  result and phases
    serial.log    all the guest said
    plot.svg/png  the picture

Every failing write ends in one ToolError line that names the file and the reason.
"""

import contextlib
import csv
import json
import os
import pathlib
import platform
import shlex
import subprocess
import time

from .errors import ToolError

COLUMNS = ["t_s", "phase", "target_bytes", "actual_bytes", "rss_bytes", "huge_bytes",
           "file_bytes", "guest_free_bytes"]


@contextlib.contextmanager
def writing(path):
    """Turn an OSError inside into the one line about `path`."""
    try:
        yield
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror or error}") from None


class RunDir:
    """Opens the files at once (a full disk shows before the guest starts) and flushes each line."""

    def __init__(self, parent, name):
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.path = pathlib.Path(parent) / f"{stamp}-{name}"
        number = 1
        with writing(self.path):
            while True:
                try:
                    self.path.mkdir(parents=True)
                    break
                except FileExistsError:
                    number += 1
                    self.path = pathlib.Path(parent) / f"{stamp}-{name}-{number}"
        self.serial = self._open("serial.log", "wb", 0)
        self._events = self._open("events.jsonl", "w", 1)
        self._samples = self._open("samples.csv", "w", 1)
        self._rows = csv.writer(self._samples, lineterminator="\n")
        with writing(self.path / "samples.csv"):
            self._rows.writerow(COLUMNS)

    def write_json(self, name, value):
        path = self.path / name
        with writing(path):
            path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

    def write_commands(self, again, qemu, copy=None):
        """cmd.sh from two argument lists. `copy`: a file QEMU wants as vars.fd in its folder."""
        path, fresh = self.path / "cmd.sh", f"cp {shlex.quote(str(copy))} vars.fd\n" if copy else ""
        with writing(path):
            path.write_text(
                "#!/bin/sh\n# The run again; with `qemu` only its QEMU, as it was started.\n"
                f'[ "$1" = qemu ] || exec {shlex.join(again)}\n'
                f'cd "$(dirname "$0")" || exit 1\n{fresh}exec {shlex.join(qemu)}\n',
                encoding="utf-8")
            path.chmod(0o755)

    def event(self, t_s, source, **words):
        line = json.dumps({"t_s": round(t_s, 6), "source": source, **words})
        with writing(self.path / "events.jsonl"):
            self._events.write(line + "\n")

    def sample(self, row):
        """One line of samples.csv; `row` maps names of COLUMNS to values, None for unknown."""
        values = [row.get(column) for column in COLUMNS]
        values[0] = f"{values[0]:.3f}"
        with writing(self.path / "samples.csv"):
            self._rows.writerow(["" if value is None else value for value in values])

    def close(self):
        """Close the files; what cannot be flushed was reported when it was written."""
        for file in (self.serial, self._events, self._samples):
            with contextlib.suppress(OSError):
                file.close()

    def _open(self, name, mode, buffering):
        with writing(self.path / name):
            encoding = None if "b" in mode else "utf-8"
            return open(self.path / name, mode, buffering, encoding=encoding)


def read_samples(path):
    """samples.csv as a list of dicts of numbers (None where a cell is empty)."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [{key: value if key == "phase" else float(value) if value else None
                 for key, value in row.items()} for row in rows]
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, csv.Error):
        raise ToolError(f"{path} is not a table of samples") from None


def host_facts():
    """What meta.json says about this machine and tree."""
    def output(*argv):
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip()

    root = pathlib.Path(__file__).resolve().parents[2]
    return {
        "kernel": platform.release(), "python": platform.python_version(),
        "cpu": next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo")
                     if line.startswith("model name")), platform.machine()),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "thp": _first("/sys/kernel/mm/transparent_hugepage/enabled"),
        "git": output("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"),
    }


def _lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _first(path):
    return (_lines(path) or [""])[0]
