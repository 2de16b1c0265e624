# SPDX-License-Identifier: BSD-2-Clause
"""Unit tests of the pure parts of bench/: the archive writer, the initramfs, timing, statistics."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))

import cpio  # noqa: E402
import linux_peer  # noqa: E402
import measure  # noqa: E402

MIB = 1 << 20


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class FakeQmp:
    """A balloon that reaches its target after so many polls."""

    def __init__(self, polls):
        self.polls = polls
        self.actual = 0
        self.target = 0
        self.left = 0

    def balloon(self, size):
        self.target = size
        self.left = self.polls

    def query_balloon(self):
        if self.left == 0:
            self.actual = self.target
        self.left -= 1
        return self.actual


class FakeGuest:
    """Records what the pairs do to it."""

    def __init__(self, name, log):
        self.name = name
        self.log = log

    def pause(self):
        self.log.append((self.name, "pause"))

    def resume(self):
        self.log.append((self.name, "resume"))


def entries(data):
    """(name, mode, contents) of a newc archive, read by the text of cpio(5)."""
    found, at = [], 0
    while True:
        assert data[at:at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = data[at + 110:at + 110 + name_size - 1].decode()
        body = (at + 110 + name_size + 3) & ~3
        at = (body + size + 3) & ~3
        if name == "TRAILER!!!":
            assert at == len(data)
            return found
        found.append((name, fields[1], data[body:body + size]))


def test_cpio_keeps_names_modes_and_contents():
    archive = cpio.Archive()
    archive.folder("a")
    archive.file("a/x", b"12345", executable=True)
    archive.link("a/link", "x")
    archive.device("a/console", 5, 1)
    assert entries(archive.bytes()) == [("a", 0o40755, b""), ("a/x", 0o100755, b"12345"),
                                        ("a/link", 0o120777, b"x"), ("a/console", 0o20600, b"")]


@pytest.mark.parametrize("size", range(5))
def test_cpio_pads_every_length(size):
    archive = cpio.Archive()
    archive.file("x" * (size + 1), b"y" * size)
    archive.file("next", b"z")
    assert [len(contents) for _, _, contents in entries(archive.bytes())] == [size, 1]


def test_initramfs_loads_what_it_holds():
    data = linux_peer.build_initramfs(b"box", {"virtio": b"1", "virtio_balloon": b"2"})
    found = {name: contents for name, _, contents in entries(data)}
    assert found["modules/virtio_balloon.ko"] == b"2"
    assert b"for module in virtio virtio_balloon; do" in found["init"]
    used = found["init"].decode()
    for applet in linux_peer.APPLETS:
        assert found[f"bin/{applet}"] == b"busybox"
        assert applet in used


def test_kernel_package_comes_from_the_depends_line():
    text = "linux-image-amd64\n  Depends: linux-image-6.1.0-9-amd64\n  Suggests: x\n"
    assert linux_peer.parse_depends(text) == "linux-image-6.1.0-9-amd64"
    assert linux_peer.parse_depends("linux-image-amd64\n") is None


def test_a_kernel_zeroes_pages_only_when_asked():
    assert "init_on_alloc=0" in linux_peer.command_line(False)
    assert "init_on_alloc=1" in linux_peer.command_line(True)


def test_timed_move_counts_until_actual_equals_the_target():
    clock = Clock()
    seconds = measure.timed_move(FakeQmp(10), 160 * MIB, clock, clock.sleep)
    assert seconds == pytest.approx(10 * measure.POLL_S)


def test_timed_move_gives_up():
    clock = Clock()
    with pytest.raises(measure.MoveError, match="160 MiB not reached"):
        measure.timed_move(FakeQmp(10**9), 160 * MIB, clock, clock.sleep)


def test_settle_waits_for_a_move_and_then_for_rest():
    clock, qmp = Clock(), FakeQmp(20)
    qmp.actual = 1024 * MIB
    qmp.balloon(5 * MIB)
    actual, seconds = measure.settle(qmp, clock, clock.sleep)
    assert actual == 5 * MIB and seconds == pytest.approx(1.0)
    assert clock.now == pytest.approx(seconds + measure.STILL_S, abs=0.1)


def test_settle_gives_up_on_a_guest_that_never_moves():
    clock = Clock()
    with pytest.raises(measure.MoveError):
        measure.settle(FakeQmp(10**9), clock, clock.sleep)


def test_pairs_alternate_drop_the_first_and_stop_the_other():
    log, turns = [], []
    guests = {name: FakeGuest(name, log) for name in ("aerostat", "linux")}

    def turn(guest):
        turns.append(guest.name)
        return {case: measure.Move(float(len(turns)), 0.5) for case in measure.CASES}

    samples = measure.run_pairs(guests, 2, turn, lambda *_: None)
    assert turns == ["aerostat", "linux", "linux", "aerostat", "aerostat", "linux"]
    walls = {name: [move.wall_s for move in samples[name]["shrink touched"]] for name in samples}
    assert walls == {"aerostat": [4.0, 5.0], "linux": [3.0, 6.0]}
    running = set(guests)
    for name, what in log:
        running = running | {name} if what == "resume" else running - {name}
        if what == "resume":
            assert running == {name}


def test_summary_is_a_ratio_of_medians():
    def moves(walls, cpu_s):
        return {case: [measure.Move(wall_s, cpu_s) for wall_s in walls] for case in measure.CASES}

    samples = {"aerostat": moves([1.0, 9.0, 2.0], 0.5), "linux": moves([4.0, 5.0, 100.0], 0.7)}
    row = measure.summarise(samples, 1000 * measure.PAGE)[0]
    assert row["ours"]["median_s"] == 2.0 and row["peer"]["median_s"] == 5.0
    assert row["ratio"] == 2.5 and row["cpu_ratio"] == pytest.approx(1.4)
    assert row["ours"]["us_per_page"] == pytest.approx(2000)
    text = measure.table([row])
    assert "**2.50**" in text and "shrink touched" in text
    assert {line.count("|") for line in text.splitlines()} == {8}


def test_one_turn_shrinks_and_grows_touched_and_untouched():
    clock, asked = Clock(), []

    class Guest:
        """Counts a tenth of a second of CPU per question."""

        qmp = FakeQmp(2)
        cpu = 0.0

        def cpu_seconds(self):
            self.cpu += 0.1
            return self.cpu

        def fill_and_free(self, size_bytes):
            asked.append(size_bytes)

    moves = measure.one_turn(Guest(), 1024 * MIB, 160 * MIB, 840 * MIB, clock.sleep)
    assert asked == [840 * MIB] and list(moves) == list(measure.CASES)
    assert all(move.cpu_s == pytest.approx(0.1) for move in moves.values())
