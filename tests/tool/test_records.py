# SPDX-License-Identifier: BSD-2-Clause
"""Run directories, the progress line, the picture, sizes: what a person reads afterwards."""

import io
import json
import os

import pytest
from host import live, plot, qemu, rundir
from host.errors import GIB, MIB, ToolError, parse_size
from host.qemu import GuestSpec
from host.rundir import RunDir, read_samples

PNG = b"\x89PNG\r\n\x1a\n"


def sample(t, phase, target=64, actual=64, rss=40):
    return {"t_s": t, "phase": phase, "target_bytes": target * MIB, "actual_bytes": actual * MIB,
            "rss_bytes": rss * MIB, "huge_bytes": 0}


def test_samples_come_back(tmp_path):
    run = RunDir(tmp_path, "x")
    run.sample(sample(0.5, "fill"))
    run.close()
    row = read_samples(run.path / "samples.csv")[0]
    assert row["phase"] == "fill" and row["rss_bytes"] == 40 * MIB
    assert row["guest_free_bytes"] is None


def test_two_runs_in_one_second_are_two_folders(tmp_path):
    paths = {RunDir(tmp_path, "x").path for _ in range(3)}
    assert len(paths) == 3


def test_events_are_json_lines(tmp_path):
    run = RunDir(tmp_path, "x")
    run.event(1.0, "guest", event="ready", reason='a "b"\n')
    run.close()
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["reason"] == 'a "b"\n'


@pytest.mark.parametrize("name", ["samples.csv", "events.jsonl", "summary.json", "cmd.sh"])
def test_full_disk_is_one_line_for_each_file(tmp_path, monkeypatch, name):
    """/dev/full stands in for every file of the folder: writing gives ENOSPC."""
    run = RunDir(tmp_path, "x")
    run._samples.close()
    run._samples = open("/dev/full", "w", 1)
    run._events = open("/dev/full", "w", 1)
    run._rows = rundir.csv.writer(run._samples)
    for file in ("summary.json", "cmd.sh"):
        os.symlink("/dev/full", run.path / file)
    writes = {"samples.csv": lambda: run.sample(sample(1.0, "fill")),
              "events.jsonl": lambda: run.event(1.0, "tool"),
              "summary.json": lambda: run.write_json("summary.json", {}),
              "cmd.sh": lambda: run.write_commands(["a"], ["b"])}
    with pytest.raises(ToolError, match=f"cannot write .*{name}: No space left on device"):
        writes[name]()
    run.close()


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="cannot write .*Not a directory"):
        RunDir(tmp_path / "file", "x")


def test_bar_shows_size_and_target():
    assert live.bar(100, 100, 100) == "#" * 15 + "|"
    assert live.bar(0, 0, 100) == "|" + "." * 15
    assert live.bar(50, 25, 100) == "###|####........"
    assert live.bar(200, 0, 100) == "|" + "#" * 15


def test_progress_is_plain_when_not_a_terminal():
    stream, state = io.StringIO(), {"memory": GIB, "target": 256 * MIB, "actual": GIB,
                                    "rss": 900 * MIB, "rate": GIB, "phase": "shrink", "t_s": 1.5}
    shown = live.Live(stream)
    shown.update(state)
    shown.update(state)  # too early for a second line
    assert stream.getvalue().count("\n") == 1
    for text in ("shrink", "target   256 actual  1024", "rss   900 MiB", "1.00 GiB/s", "1.5 s"):
        assert text in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_progress_redraws_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream, state = Terminal(), {"memory": GIB, "target": GIB, "actual": GIB, "rss": 0,
                                 "phase": "boot", "t_s": 0.0}
    shown = live.Live(stream)
    shown.update(state, force=True)
    shown.update(state, force=True)
    shown.done()
    assert stream.getvalue().count("\r") == 2
    assert stream.getvalue().count("\n") == 1


def test_plot_draws_both_pictures(tmp_path):
    run = RunDir(tmp_path, "x")
    for t, phase, target in ((0, "boot", 64), (1, "fill", 64), (2, "shrink", 16), (3, "grow", 64)):
        run.sample(sample(float(t), phase, target))
        run.sample(sample(t + 0.5, phase, target, target))
    run.close()
    assert plot.draw(run.path) == ["plot.svg", "plot.png"]
    assert (run.path / "plot.png").read_bytes()[:8] == PNG
    text = (run.path / "plot.svg").read_text()
    assert "<svg" in text
    kinds = [kind for *_, kind in plot.phase_ranges(read_samples(run.path / "samples.csv"))]
    assert kinds == ["still", "guest", "shrink", "grow"]


@pytest.mark.parametrize("text, message", [
    ("", "too few"), ("t_s,phase\nx,y\n", "no table|not a table"), (None, "cannot read")])
def test_plot_of_something_else(tmp_path, text, message):
    if text is not None:
        (tmp_path / "samples.csv").write_text(text)
    with pytest.raises(ToolError, match=message):
        plot.draw(tmp_path)


@pytest.mark.parametrize("text, size", [
    ("512M", 512 * MIB), ("1G", GIB), ("2g", 2 * GIB), ("64", 64 * MIB), ("8192K", 8 * MIB),
    ("1GiB", GIB)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1G", "1.5G", "M", "1X", "G1"])
def test_no_size(text):
    with pytest.raises(ToolError, match="not a size"):
        parse_size(text)


def test_command_line_of_each_boot_path():
    pvh = qemu.command(GuestSpec(image="k.elf", config='run="fill 80%"', smp=2), "/f", "/dev/shm/r")
    text = " ".join(pvh)
    assert '-kernel k.elf -append run="fill 80%"' in text
    assert "memory-backend-file,id=ram,share=on,mem-path=/dev/shm/r,size=1073741824" in text
    assert "-smp 2" in text and "pflash" not in text
    assert f"virtio-balloon-pci,id={qemu.BALLOON_ID}" in pvh
    assert f"virtio-balloon-device,id={qemu.BALLOON_ID}" in qemu.command(
        GuestSpec(image="k.elf", machine="microvm,acpi=off"), "/f")
    assert "balloon" not in " ".join(qemu.command(GuestSpec(image="k.elf", balloon=""), "/f"))
    efi = qemu.command(GuestSpec(image="d.img", boot="efi", disk="usb",
                                 config='run="fill 80%,x" irq=poll', reboot=True), "/f")
    text = " ".join(efi)
    assert "file=/f/vars.fd" in text and "usb-storage,drive=disk" in text
    assert "name=opt/org.aerostat/run,string=fill 80%,,x" in efi
    assert "name=opt/org.aerostat/irq,string=poll" in efi
    assert "reserve=off" in text and "-kernel" not in efi and "-no-reboot" not in efi
