# SPDX-License-Identifier: BSD-2-Clause
"""`tools/aerostat run` with the real guest: the main job as a person starts it, and its ends."""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest
from host.errors import GIB, MIB
from host.image import ROOT

pytestmark = pytest.mark.e2e
TOOL = ROOT / "tools" / "aerostat"
QEMU_SELF = 160 * MIB  # what QEMU has beside guest RAM, translated code included


@pytest.fixture
def run(build, tmp_path):
    """Start the tool with real images. It must leave no QEMU and no temporary folder."""
    with tempfile.TemporaryDirectory(prefix="run-") as folder:  # short: sockets lie in it
        def start(*options):
            argv = [TOOL, "run", "--build", build, "--out", tmp_path, *options]
            return subprocess.Popen(argv, env=os.environ | {"TMPDIR": folder}, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        yield start
        assert os.listdir(folder) == []
        assert processes_of(folder) == []


def processes_of(folder):
    """Processes with a path in `folder` on their command line."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if folder.encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            pass  # has ended meanwhile
    return found


def last_error(text):
    return [line for line in text.splitlines() if line.startswith("aerostat: ")]


def test_main_job_by_efi(run, tmp_path):
    child = run()
    out, err = child.communicate(timeout=180)
    assert child.returncode == 0, err
    folder = next(tmp_path.iterdir())
    summary = json.loads((folder / "summary.json").read_text())
    phases = {phase["name"]: phase for phase in summary["phases"]}
    assert summary["result"] == "pass"
    assert phases["fill"]["moved_bytes"] > 0.7 * GIB
    assert phases["shrink"]["moved_bytes"] == GIB * 3 // 4
    assert phases["shrink"]["t_actual"] > 0 and phases["shrink"]["t_rss"] > 0
    assert sum(phase["errors"] for phase in summary["phases"]) == 0
    rows = list(csv.DictReader((folder / "samples.csv").open()))
    full = max(int(row["rss_bytes"]) for row in rows if row["phase"] == "free")
    held = min(int(row["rss_bytes"]) for row in rows if row["phase"] == "hold")
    assert full > 0.75 * GIB
    assert held < GIB // 4 + QEMU_SELF
    assert (folder / "plot.png").stat().st_size > 20000
    assert "shrink" in out


def test_qemu_that_refuses(run):
    child = run("--boot", "pvh", "--machine", "zx81")
    _, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert len(last_error(err)) == 1 and "unsupported machine type" in last_error(err)[0]


def test_guest_that_refuses_to_boot(run):
    child = run("--boot", "pvh", "--memory", "3M")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert len(last_error(err)) == 1 and "too little RAM" in last_error(err)[0]


def test_guest_that_panics(run):
    child = run("--boot", "pvh", "--memory", "64M", "--config", 'run="crash null"')
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert len(last_error(err)) == 1
    assert re.search(r"the guest died \(.*\): panic: page fault: ", last_error(err)[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(run, tmp_path, number):
    child = run("--boot", "pvh", "--memory", "256M")
    deadline = time.monotonic() + 30
    while not any('"shrink"' in path.read_text() for path in tmp_path.glob("*/events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "stopped; what was recorded is in" in last_error(err)[0]
    folder = next(tmp_path.iterdir())
    assert json.loads((folder / "summary.json").read_text())["result"] == "interrupted"
    assert (folder / "plot.svg").exists()
