# SPDX-License-Identifier: BSD-2-Clause
"""Unit tests of the pure parts of bench/: the archive writer, the initramfs, the clocks, what a turn
does, pairs and statistics. test_bench_host.py has those that look at the host."""

import mmap
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))

import cpio  # noqa: E402
import floor  # noqa: E402
import linux_peer  # noqa: E402
import measure  # noqa: E402
import pairs  # noqa: E402
import summary  # noqa: E402
import turn  # noqa: E402

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
        self.actual = self.target = 0
        self.left = 10**9  # at rest

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
    data = linux_peer.build_initramfs({"busybox": b"box", "hold": b"program"},
                                      {"virtio": b"1", "virtio_balloon": b"2"})
    found = {name: contents for name, _, contents in entries(data)}
    assert found["modules/virtio_balloon.ko"] == b"2"
    assert found["bin/busybox"] == b"box" and found["bin/hold"] == b"program"
    assert b"for module in virtio virtio_balloon; do" in found["init"]
    used = found["init"].decode()
    for applet in linux_peer.APPLETS:
        assert found[f"bin/{applet}"] == b"busybox"
        assert applet in used


def test_kernel_package_comes_from_the_depends_line():
    text = "linux-image-amd64\n  Depends: linux-image-6.1.0-9-amd64\n  Suggests: x\n"
    assert linux_peer.parse_depends(text) == "linux-image-6.1.0-9-amd64"
    assert linux_peer.parse_depends("linux-image-amd64\n") is None


FETCHES = """#!/bin/sh
case $1 in
depends) echo "  Depends: linux-image-1-amd64" ;;
*) echo nonsense >x.deb ;;
esac
"""


@pytest.mark.parametrize("script, error", [
    (None, linux_peer.NoPackage), ("#!/bin/sh\nexit 100\n", linux_peer.NoPackage), ("#!/bin/sh\n", linux_peer.NoPackage),
    (FETCHES, linux_peer.PeerError)], ids=["no-apt", "apt-fails", "apt-knows-no-kernel", "apt-works"])
def test_only_what_apt_cannot_get_is_missing(tmp_path, monkeypatch, script, error):
    """The control of the monitor is skipped for that alone: what was fetched and is no package is a failure."""
    for tool in ("apt-cache", "apt-get") if script else ():
        (tmp_path / tool).write_text(script)
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}" if script else str(tmp_path))
    with pytest.raises(linux_peer.PeerError) as caught:
        linux_peer.prepare(str(tmp_path / "cache"), linux_peer.VMWARE)
    assert caught.type is error, caught.value


def test_a_kernel_zeroes_pages_only_when_asked():
    assert "init_on_alloc=0" in linux_peer.command_line(False)
    assert "init_on_alloc=1" in linux_peer.command_line(True)


def test_timed_move_counts_until_actual_equals_the_target():
    clock = Clock()
    path = measure.timed_move(FakeQmp(10), 160 * MIB, clock, clock.sleep)
    assert path.seconds == pytest.approx(10 * measure.POLL_S)


def test_timed_move_stops_where_it_is_told_to():
    clock, qmp = Clock(), FakeQmp(10**9)
    path = measure.timed_move(qmp, 160 * MIB, clock, clock.sleep,
                              until=lambda actual: clock.now > 0.1)
    assert path.seconds == pytest.approx(0.1, abs=2 * measure.POLL_S)


def test_a_path_knows_when_a_share_of_it_was_covered():
    down = measure.Path([(0, 1000), (1, 800), (2, 300), (3, 40), (4, 0)])
    up = measure.Path([(0, 0), (1, 200), (2, 700), (5, 1000)])
    assert (down.passed(0.63), down.passed(0.95), down.seconds) == (2, 3, 4)
    assert (up.passed(0.63), up.passed(0.95)) == (2, 5)


def test_a_fall_is_over_when_nearly_all_of_it_has_gone():
    looks = [(0, 1000), (1, 600), (2, 102), (3, 105), (4, 100)]
    assert measure.fall_of(looks) == (900, 2)
    assert measure.fall_of([(0, 5), (1, 5)]) == (0, None)
    assert measure.fall_of([]) == (0, None)


@pytest.mark.alone
def test_the_watch_sees_our_own_memory_come_and_go():
    with measure.RssWatch(os.getpid()) as watch:
        memory = mmap.mmap(-1, 64 * MIB)
        memory.write(b"x" * len(memory))
        time.sleep(0.1)
        start = time.monotonic()
        memory.close()
        time.sleep(0.1)
        fallen, seconds = watch.fall(start, time.monotonic())
    assert fallen > 48 * MIB and 0 <= seconds < 0.1


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
    log, turns, floors = [], [], []
    guests = {name: FakeGuest(name, log) for name in ("aerostat", "linux")}

    def turn_of(guest):
        turns.append(guest.name)
        return len(turns)

    def host():
        floors.append(len(turns))
        return len(floors)

    samples, costs = pairs.run_pairs(guests, 2, turn_of, host, lambda *_: None)
    assert turns == ["aerostat", "linux", "linux", "aerostat", "aerostat", "linux"]
    assert samples == {"aerostat": [4, 5], "linux": [3, 6]}
    assert floors == [2, 4, 6] and costs == [2, 3]  # after each pair, the first one dropped too
    running = set(guests)
    for name, what in log:
        running = running | {name} if what == "resume" else running - {name}
        if what == "resume":
            assert running == {name}


PLAN = turn.Plan(high=1000 * floor.PAGE, low=200 * floor.PAGE, fill=600 * floor.PAGE)
COSTS = {floor.INFLATE_TOUCHED: 5.0, floor.INFLATE_UNTOUCHED: 1.0, floor.REPORT_TOUCHED: 0.1,
         floor.INFLATE_REPORTED: 0.9, floor.DEFLATE_BLOCKS: 2.0, floor.TOUCH_INFLATED: 7.0,
         floor.TOUCH_REPORTED: 3.0}


def test_the_floor_of_a_case_is_that_of_its_pages():
    def seconds(case, figure, reporting):
        return summary.floor_seconds(case, figure, PLAN, COSTS, reporting)

    assert seconds(turn.SHRINK_TOUCHED, "t_actual", False) == 600 * 5.0 + 200 * 1.0
    assert seconds(turn.SHRINK_TOUCHED, "t_actual", True) == pytest.approx(600 * 1.0 + 200 * 1.0)
    assert seconds(turn.SHRINK_TOUCHED, "t_rss", True) == pytest.approx(600 * 0.1)
    assert seconds(turn.SHRINK_TOUCHED, "t_rss", False) == 600 * 5.0
    assert seconds(turn.SHRINK_UNTOUCHED, "t_actual", True) == 800 * 1.0
    assert seconds(turn.RETURN, "t_actual", True) == 800 * 2.0
    assert seconds(turn.RETURN_TOUCH, "t_touched", True) == 800 * 2.0 + 600 * 3.0
    assert seconds(turn.RETURN_TOUCH, "t_touched", False) == 800 * 2.0 + 600 * 7.0
    step = PLAN.step // floor.PAGE
    assert seconds(turn.STEP_DOWN, "t63", True) == pytest.approx(0.63 * step * 1.0)
    assert seconds(turn.STEP_DOWN, "t95", False) == pytest.approx(0.95 * step * 5.0)
    assert seconds(turn.STEP_UP, "t95", True) == pytest.approx(0.95 * step * 2.0)
    assert seconds(turn.REVERSED, "t_actual", True) == pytest.approx(0.25 * 800 * 2.0)
    assert seconds(turn.SHRINK_TOUCHED, "fallen", True) is None


def turns(walls, **more):
    """A turn for each of these times, with more figures of the touched shrink."""
    return [{case: {"t_actual": wall, "t_touched": wall, "cpu": wall / 2} | (
        more if case == turn.SHRINK_TOUCHED else {}) for case, _ in summary.ROWS}
        for wall in walls]


def test_summary_is_a_ratio_of_medians():
    samples = {"aerostat": turns([1.0, 9.0, 2.0]), "linux": turns([4.0, 5.0, 100.0])}
    row = summary.summarise(samples, [COSTS], PLAN, False)[0]
    assert row["case"] == turn.SHRINK_TOUCHED and row["figure"] == "t_actual"
    assert row["ours"].median == 2.0 and row["peer"].median == 5.0
    assert row["ratio"] == 2.5 and row["cpu_ratio"] == 2.5
    assert row["floor_ratio"] == 3200 / 2.0
    text = summary.table([row], "private, THP", "aerostat", "linux")
    assert "**2.50**" in text and "shrink touched" in text and "private, THP" in text
    assert {line.count("|") for line in text.splitlines()} == {10}


def test_a_figure_that_one_guest_lacks_has_no_ratio():
    samples = {"aerostat": turns([1.0, 2.0], t_rss=0.5), "linux": turns([4.0, 5.0], t_rss=None)}
    rows = summary.summarise(samples, [], PLAN, True)
    row = next(row for row in rows if row["figure"] == "t_rss")
    assert row["peer"] is None and row["ratio"] is None and row["floor_ratio"] is None
    assert "| – | – |" in summary.table([row], "shared file", "aerostat", "linux")
    assert not any(row["figure"] == "t_first" for row in rows)  # nobody has it: no row


def test_an_overshoot_of_nothing_has_no_ratio():
    assert summary.ratio(summary.figure_of([5]), summary.figure_of([0])) is None
    assert summary.spread(summary.figure_of([4 * MIB]), True) == "4.00 (4.00–4.00)"
    assert summary.spread(summary.figure_of([0.25, 0.5, 0.125])) == "250 (125–500)"


class TurningGuest:
    """Reaches each target at once, counts a tenth of a second of CPU per question."""

    pid = os.getpid()

    def __init__(self):
        self.qmp = FakeQmp(0)
        self.qmp.actual = self.qmp.target = PLAN.high
        self.cpu, self.filled, self.log = 0.0, 0, []

    def cpu_seconds(self):
        self.cpu += 0.1
        return self.cpu

    def fill(self, size_bytes):
        assert self.qmp.actual == PLAN.high and not self.filled
        self.filled = size_bytes
        self.log.append("fill")

    def free(self):
        self.filled = 0
        self.log.append("free")
        return Answer()

    def fill_and_free(self, size_bytes):
        self.fill(size_bytes)
        self.free()

    def events_since(self, number):
        return ([Answer()], number + 1) if self.log else ([], 0)


class Answer:
    """The answer to `free`, and an event of a return."""

    def __init__(self):
        self.host = time.monotonic()

    def has(self, event):
        return event == "return"

    def number(self, key):
        return {"first_ns": 500_000, "all_ns": 2_000_000}[key]


def test_a_turn_measures_every_case_and_leaves_the_guest_as_it_was():
    guest = TurningGuest()
    cases = turn.Turn(guest, PLAN, lambda _: None).run()
    assert set(cases) == {case for case, _ in summary.ROWS}
    assert guest.log == ["fill", "free"] * 3 and guest.qmp.actual == PLAN.high
    assert cases[turn.RETURN]["t_first"] == 0.0005 and cases[turn.RETURN]["t_all"] == 0.002
    assert cases[turn.SHRINK_TOUCHED]["t_gap"] < 0.1
    cpu = [figures["cpu"] for figures in cases.values() if "cpu" in figures]
    assert cpu and cpu == pytest.approx([0.1] * len(cpu))


class LateTurn:
    """Turns whose shrinks begin that late."""

    gaps = []

    def __init__(self, guest, plan):
        pass

    def run(self):
        return {turn.SHRINK_TOUCHED: {"t_gap": self.gaps.pop(0)}}


def test_a_turn_that_shrinks_too_late_is_taken_again():
    guest = TurningGuest()
    guest.name = "aerostat"
    LateTurn.gaps = [0.2, 0.05]
    assert turn.in_time(guest, PLAN, LateTurn) == {turn.SHRINK_TOUCHED: {"t_gap": 0.05}}
    LateTurn.gaps = [0.2] * turn.TRIES
    with pytest.raises(turn.ToolError, match="aerostat: more than 100 ms from free to shrink"):
        turn.in_time(guest, PLAN, LateTurn)


def test_overshoot_is_how_far_a_guest_still_fell():
    down = measure.Path([(0, 1000), (1, 700)])
    assert turn.overshoot(down, measure.Path([(0, 700), (1, 640), (2, 1000)])) == 60
    assert turn.overshoot(down, measure.Path([(0, 720), (1, 1000)])) == 0
