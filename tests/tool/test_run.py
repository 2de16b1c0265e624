# SPDX-License-Identifier: BSD-2-Clause
"""`aerostat run` with a pretended QEMU (tests/e2e/fake_qemu.py): the good run, and each way in
which guest, QEMU, disk or user end it: one clear line, exit status 1, nothing left running."""

import csv
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest
from host import scenario

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "aerostat"
FAKE = ROOT / "tests" / "e2e" / "fake_qemu.py"
PROGRESS = re.compile(r"^ *[0-9.]+ s \[")


class Run:
    """One call of the tool in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "image").write_text("")
        self.child = None
        self.command = [TOOL]

    def start(self, fake="", *options, **kwargs):
        argv = [*self.command, "run", "--boot", "pvh", "--memory", "64M", "--accel", "tcg",
                "--qemu", FAKE, "--image", self.folder / "image", "--out", self.folder / "runs", *options]
        env = os.environ | {"FAKE": fake, "TMPDIR": str(self.folder)}
        self.child = subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, **kwargs)
        return self

    def end(self):
        """(exit status, lines of stderr that are not progress)."""
        out, err = self.child.communicate(timeout=60)
        self.out = out
        return self.child.returncode, [x for x in err.splitlines() if not PROGRESS.match(x)]

    @property
    def path(self):
        return next((self.folder / "runs").iterdir())

    def summary(self):
        return json.loads((self.path / "summary.json").read_text())

    def leftovers(self):
        """Pretended QEMUs that still run for us, and temporary folders."""
        running = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = entry.read_bytes()
            except OSError:
                continue
            is_tool = b"aerostat\0run" in text
            if str(self.folder).encode() in text and b"fake_qemu" in text and not is_tool:
                running.append(entry.parent.name)
        return running + [p.name for p in self.folder.glob("aerostat-*")]


@pytest.fixture
def run(tmp_path):
    made = Run(tmp_path)
    yield made
    if made.child and made.child.poll() is None:
        made.child.kill()


def fails(run, fake, message, *options, **kwargs):
    status, lines = run.start(fake, *options, **kwargs).end()
    assert status == 1, lines
    assert len(lines) == 1 and re.search(message, lines[0]), lines
    assert run.leftovers() == []


def ram_files():
    return {name for name in os.listdir("/dev/shm") if "aerostat" in name}


def staying(names):
    """Those that are still there after a while: a guest that starts beside us unlinks its file soon."""
    end = time.monotonic() + 5
    while names and time.monotonic() < end:
        time.sleep(0.1)
        names = names & ram_files()
    return names


def test_whole_run_leaves_everything(run):
    before = ram_files()
    status, lines = run.start("noise", "--ram", "shared").end()
    assert (status, lines) == (0, [])
    assert {p.name for p in run.path.iterdir()} == {
        "meta.json", "cmd.sh", "events.jsonl", "samples.csv", "summary.json", "serial.log",
        "plot.svg", "plot.png"}
    summary = run.summary()
    assert summary["result"] == "pass"
    names = [phase["name"] for phase in summary["phases"]]
    assert names == ["boot"] + [step.name for step in scenario.DEFAULT]
    shrink = summary["phases"][names.index("shrink")]
    assert shrink["moved_bytes"] == 48 << 20
    assert 0 < shrink["t_actual"] < 20 and 0 < shrink["t_rss"] < 20
    assert summary["phases"][names.index("grow")]["t_rss"] is None
    again = (run.path / "cmd.sh").read_text().splitlines()
    assert "--memory 64M" in again[2] and "--ram shared" in again[2]
    assert again[-1].startswith(f"exec {FAKE} -accel tcg") and "-serial stdio" in again[-1]
    meta = json.loads((run.path / "meta.json").read_text())
    assert meta["qemu"] == "7.2.0" and meta["guest"]["memory"] == 64 << 20
    for line in (run.path / "events.jsonl").read_text().splitlines():
        assert json.loads(line)["source"] in ("guest", "tool", "qmp")
    rows = list(csv.DictReader((run.path / "samples.csv").open()))
    assert all(row["file_bytes"].isdecimal() for row in rows)
    assert staying(ram_files() - before) == set()
    assert "t_actual" in run.out and "shrink" in run.out and "pass: " in run.out
    assert run.leftovers() == []


@pytest.mark.parametrize("fake, message", [
    ("refuse", "QEMU ended at once .exit 1.: .*unsupported machine type"),
    ("no-balloon", "has not attached a balloon"),
    ("die", "the guest died .exit 1.: last words"),
    ("panic", "the guest died .exit 7.: panic: page fault"),
    ("rude", "greeting: the answer is not JSON: SSH"),
    ("garbage", "query-balloon: the answer is not JSON"),
    ("wrong-type", "query-balloon: no number"),
    ("deny", "balloon refused: No balloon device"),
])
def test_each_failure_is_one_line(run, fake, message):
    fails(run, fake, "^aerostat: .*" + message)
    assert run.summary()["result"] == "fail"


def test_silent_guest(run):
    fails(run, "silent", "no guest: it is not ready after 0.5 s and said nothing",
          "--boot-timeout", "0.5")


def test_stuck_balloon(run):
    """STALL is 20 s: shortened for this call, so that the suite stays fast."""
    code = (f"import runpy, sys; sys.path.insert(0, '{TOOL.parent}');"
            f"from host import scenario; scenario.STALL = 0.3;"
            f"runpy.run_path('{TOOL}', run_name='__main__')")
    run.command = ["/usr/bin/python3", "-B", "-c", code]
    fails(run, "stuck", "shrink: the balloon stands still 48.0 MiB from its target since 0.3 s")


def test_no_image(run):
    (run.folder / "image").unlink()
    fails(run, "", "no guest: there is no image")
    assert not (run.folder / "runs").exists()


def test_kvm_where_there_is_none_is_skipped(run):
    status, lines = run.start("", "--accel", "kvm", "--build", run.folder).end()
    assert status == 77, "this host has KVM and our image?"
    assert len(lines) == 1 and "KVM was asked for: no: " in lines[0]
    assert not (run.folder / "runs").exists()


def test_no_qemu(run):
    fails(run, "", "cannot start .*/nothing: No such file", "--qemu", run.folder / "nothing")


@pytest.mark.parametrize("options", [["--memory", "lots"], ["--name", "a/b"]])
def test_bad_options(run, options):
    fails(run, "", "not a ", *options)


@pytest.mark.parametrize("words, named", [
    ("run=fill 200M", "'200M' is no key=value"), ("=5", "'=5' is no key=value"),
    ("run='fill 200M", "No closing quotation")])
def test_bad_settings(run, words, named):
    fails(run, "", f"settings for the guest .*{named}", "--config", words)
    assert not (run.folder / "runs").exists()


def test_size_limit_on_files(run):
    """A limit on file sizes makes the disk full for one file, without rights of root."""
    fails(run, "", "cannot write .*: File too large",
          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)))


def test_full_disk(run):
    """A real full file system: a small tmpfs in a mount namespace of our own."""
    (run.folder / "runs").mkdir()
    shell = ("mount -t tmpfs -o size=16k none \"$0\" && shift 0 && exec \"$@\"")
    argv = ["unshare", "-rm", "sh", "-c", shell, run.folder / "runs", TOOL, "run", "--boot", "pvh",
            "--memory", "64M", "--accel", "tcg", "--qemu", FAKE, "--image", run.folder / "image",
            "--out", run.folder / "runs"]
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", run.folder / "runs"],
                      capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here: cannot mount a small file system")
    done = subprocess.run(argv, text=True, capture_output=True, timeout=60, check=False)
    lines = [x for x in done.stderr.splitlines() if not PROGRESS.match(x)]
    assert done.returncode == 1
    assert len(lines) == 1, lines
    assert re.search("cannot write .*: No space left on device", lines[0])
    assert run.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_was_recorded(run, number):
    run.start("slow")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        events = list((run.folder / "runs").glob("*/events.jsonl"))
        if events and '"phase": "shrink"' in events[0].read_text():
            break
        time.sleep(0.02)
    time.sleep(0.2)
    run.child.send_signal(number)
    status, lines = run.end()
    assert status == 1
    assert len(lines) == 1 and "stopped; what was recorded is in" in lines[0], lines
    assert run.summary()["result"] == "interrupted"
    assert len((run.path / "samples.csv").read_text().splitlines()) > 5
    assert (run.path / "plot.png").stat().st_size > 1000
    assert run.leftovers() == []


def test_killed_tool_takes_qemu_along(run):
    """SIGKILL leaves us no time to clean up: the kernel ends QEMU (PR_SET_PDEATHSIG)."""
    run.start("slow")
    deadline = time.monotonic() + 20
    while not [x for x in run.leftovers() if x.isdecimal()] and time.monotonic() < deadline:
        time.sleep(0.02)
    run.child.kill()
    run.child.wait()
    while [x for x in run.leftovers() if x.isdecimal()] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [x for x in run.leftovers() if x.isdecimal()] == []
