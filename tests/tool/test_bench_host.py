# SPDX-License-Identifier: BSD-2-Clause
"""Unit tests of those parts of bench/ that look at the host: backing, the qtest protocol and the device
driven through it, the floor's arithmetic, QEMU's trace, the page of figures."""

import base64
import io
import os
import re
import runpy
import socket
import struct
import subprocess
import sys
import threading

import pytest

BENCH = os.path.join(os.path.dirname(__file__), "../../bench")
sys.path.insert(0, BENCH)

import backing  # noqa: E402
import floor  # noqa: E402
import guests  # noqa: E402
import traffic  # noqa: E402
import virtio_by_qtest  # noqa: E402
from host.errors import Skipped  # noqa: E402
from qtest import Qtest, QtestError  # noqa: E402

COMMANDS = ("boot-time", "console-speed", "free-to-rss", "host-floor", "host-work", "huge-pages", "idle-cost",
            "peer", "report", "residue", "return-time")


def test_the_ram_is_told_from_qemu_s_other_mappings():
    smaps = ["7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n", "Rss:  512 kB\n",
             "7f1000000000-7f1020000000 rw-p 00000000 00:00 0 \n",
             "Rss:          102400 kB\n", "AnonHugePages:   98304 kB\n", "VmFlags: rd wr\n",
             "7f2000000000-7f2000001000 r--p 00000000 00:00 0 \n", "Rss:  4 kB\n"]
    assert guests.ram_of_smaps(smaps, 512 << 20) == (102400 << 10, 98304 << 10)
    with pytest.raises(guests.ToolError, match="no mapping of 77"):
        guests.ram_of_smaps(smaps, 77)


def test_a_host_without_huge_pages_is_skipped_by_name(monkeypatch):
    assert backing.selected("always [madvise] never\n") == "madvise"
    monkeypatch.setattr(backing, "thp_mode", lambda: "never")
    with pytest.raises(Skipped, match="never"):
        backing.find("thp")
    assert backing.find("4k").name == "private, 4 KiB"


def test_small_pages_are_forced_on_children_and_only_there():
    def child():
        return subprocess.run(["grep", "THP_enabled", "/proc/self/status"], capture_output=True,
                              text=True, check=False).stdout

    if not child():
        pytest.skip("this kernel does not tell THP_enabled")
    before = child()
    with backing.in_force(backing.BACKINGS["4k"]):
        assert child().split()[1] == "0"
    assert child() == before


class Machine:
    """QEMU's side of qtest: RAM, ports and a balloon that obeys, in a thread. Written from virtio
    1.3: what the driver gets wrong shows in what it finds in RAM or refuses."""

    COMMON, NOTIFY = 0xD0000000, 0xD0003000

    def __init__(self, offered=1 << 5 | 1 << 32 | 1 << 28):
        self.ram = bytearray(4 << 20)
        self.offered, self.accepted, self.status, self.select = offered, [0, 0], [], [0, 0, 0]
        self.queues, self.seen, self.rung, self.lazy = {}, {}, [], False
        self.address = 0
        self.config = {2 << 11: {0: 0x10021AF4, 0x34: 0x40,
                                 0x40: 0x01 << 24 | 0x10 << 16 | 0x50 << 8 | 0x09, 0x48: 0,
                                 0x50: 0x02 << 24 | 0x14 << 16 | 0x00 << 8 | 0x09, 0x58: 0x3000,
                                 0x60: 4}}
        ours, self.theirs = socket.socketpair()
        self.qtest = Qtest(ours)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        for line in self.theirs.makefile("r"):
            name, *words = line.split()
            self.theirs.sendall((self._answer(name, words) + "\n").encode())

    def _answer(self, name, words):
        at = int(words[0], 16)
        if name == "b64write":
            data = base64.b64decode(words[2])
            assert len(data) == int(words[1], 16)
            self.ram[at:at + len(data)] = data
        elif name == "memset":
            self.ram[at:at + int(words[1], 16)] = bytes([int(words[2], 16)]) * int(words[1], 16)
        elif name == "outl":
            self._port(at, int(words[1], 16))
        elif name == "inl":
            function = self.config.get(self.address & 0xFFFF00, {})
            return f"OK {function.get(self.address & 0xFF, 0 if function else 0xFFFFFFFF):#x}"
        elif name.startswith("read"):
            return f"OK {self._read(at, {'b': 1, 'w': 2, 'l': 4}[name[4]]):#018x}"
        elif name.startswith("write"):
            self._write(at, int(words[1], 16), {"b": 1, "w": 2, "l": 4}[name[5]])
        else:
            return f"FAIL Unknown command '{name}'"
        return "OK"

    def _port(self, port, value):
        if port == 0xCF8:
            self.address = value
        else:
            self.config[self.address & 0xFFFF00][self.address & 0xFF] = value

    def _read(self, at, size):
        if at < self.COMMON:
            return int.from_bytes(self.ram[at:at + size], "little")
        return {0x04: self.offered >> 32 * self.select[0] & 0xFFFFFFFF, 0x12: 4,
                0x14: self.status[-1] if self.status else 0,
                0x18: 32 if self.select[2] == 3 else 128, 0x1E: self.select[2]}[at - self.COMMON]

    def _write(self, at, value, size):
        if at < self.COMMON:
            self.ram[at:at + size] = value.to_bytes(size, "little")
        elif at >= self.NOTIFY:
            assert (at - self.NOTIFY) // 4 == value
            self.rung.append(value)
            if not self.lazy:
                self._work(value)
        else:
            self._register(at - self.COMMON, value)

    def _register(self, register, value):
        if register in (0x00, 0x08, 0x16):
            self.select[{0x00: 0, 0x08: 1, 0x16: 2}[register]] = value
        elif register == 0x0C:
            self.accepted[self.select[1]] = value
        elif register == 0x14:
            self.status.append(value)
        else:
            self.queues.setdefault(self.select[2], {})[register] = value

    def _work(self, index):
        """What the request made available last says; then it is used."""
        queue = self.queues[index]
        size = 32 if index == 3 else 128
        assert queue[0x1C] == 1
        table, available, used = queue[0x20], queue[0x28], queue[0x30]
        count = struct.unpack_from("<H", self.ram, available + 2)[0]
        slot = struct.unpack_from("<H", self.ram, available + 4 + 2 * ((count - 1) % size))[0]
        chain, flags = [], 1
        while flags & 1:
            address, length, flags, following = struct.unpack_from("<QIHH", self.ram,
                                                                   table + 16 * slot)
            chain.append((address, length, flags & 2))
            slot = following
        self.seen.setdefault(index, []).append(chain)
        struct.pack_into("<H", self.ram, used + 2, count)


RINGS = 1 << 20


def test_the_device_is_found_negotiated_and_driven():
    machine = Machine()
    balloon = virtio_by_qtest.Balloon(machine.qtest, RINGS)
    assert machine.status == [0, 1, 3, 11, 15]
    assert machine.accepted == [1 << 5, 1]  # reporting, VERSION_1, and nothing else
    assert machine.config[2 << 11][0x04] == 6 and set(balloon.queues) == {0, 1, 3}
    queue = balloon.queues[virtio_by_qtest.INFLATE]
    for number in range(300):  # more often than the ring is long
        queue.submit([(0x3000 + number, 2048)], 0)
        assert not queue.is_done()
        queue.ring()
        assert queue.is_done()
        assert machine.seen[0][-1] == [(0x3000 + number, 2048, 0)]


def test_a_report_is_one_chain_of_writable_ranges():
    machine = Machine()
    queue = virtio_by_qtest.Balloon(machine.qtest, RINGS).queues[virtio_by_qtest.REPORTING]
    blocks = [(number << 21, 2 << 20) for number in range(floor.RANGES)]
    floor.cost(queue, [(blocks, virtio_by_qtest.WRITE)])
    assert machine.seen[3] == [[(at, size, 2) for at, size in blocks]]


def test_a_device_that_answers_before_its_work_is_noticed():
    machine = Machine()
    queue = virtio_by_qtest.Balloon(machine.qtest, RINGS).queues[virtio_by_qtest.DEFLATE]
    machine.lazy = True
    with pytest.raises(QtestError, match="not the work's end"):
        floor.cost(queue, [([(0, 2048)], 0)])


def test_a_machine_without_a_balloon_is_an_error():
    machine = Machine()
    machine.config.clear()
    with pytest.raises(QtestError, match="no virtio balloon"):
        virtio_by_qtest.Balloon(machine.qtest, RINGS)


def test_a_refused_command_and_a_closed_socket_are_errors():
    machine = Machine()
    with pytest.raises(QtestError, match="Unknown command"):
        machine.qtest._command("bogus 0x0")
    machine.theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(QtestError):
        machine.qtest.read32(0)


class SteppingQueue:
    """Each doorbell takes 5 s, each look at the used index 2 s, by a clock of its own."""

    index = 0

    def __init__(self):
        self.now, self.requests, self.done = 0.0, [], True

    def clock(self):
        return self.now

    def submit(self, parts, flags):
        self.requests.append((parts, flags))
        self.done = False

    def ring(self):
        self.now += 5
        self.done = True

    def is_done(self):
        self.now += 2
        return self.done


def test_the_socket_s_round_trip_is_taken_off():
    queue = SteppingQueue()
    assert floor.cost(queue, [([(0, 1)], 0)] * 3, queue.clock) == 3.0


class RecordingBalloon:
    def __init__(self):
        self.queues = {index: SteppingQueue() for index in (0, 1, 3)}


def test_requests_name_each_block_of_the_area_once(monkeypatch):
    balloon = RecordingBalloon()
    monkeypatch.setattr(floor.cost, "__defaults__", (balloon.queues[0].clock,))
    area = floor.AREAS[0]
    assert floor.by_numbers(balloon, 0, area) == pytest.approx(3.0 / 512)
    parts = [parts[0] for parts, _ in balloon.queues[0].requests]
    assert [size for _, size in parts] == [2048] * 64
    assert [at for at, _ in parts] == [floor.numbers_at(area) + 2048 * n for n in range(64)]
    monkeypatch.setattr(floor.cost, "__defaults__", (balloon.queues[3].clock,))
    assert floor.by_ranges(balloon, area) == pytest.approx(3.0 / 32 / 512)
    blocks = [part for parts, _ in balloon.queues[3].requests for part in parts]
    assert blocks == [(area + n * floor.BLOCK, floor.BLOCK) for n in range(64)]


class TouchedMemory:
    """The first write to a page takes 3 s, each command 1 s, by a clock of its own."""

    def __init__(self):
        self.now, self.touched = 0.0, set()

    def clock(self):
        return self.now

    def fill(self, address, size, byte):
        pages = set(range(address, address + size, floor.PAGE))
        self.now += 1 + 3 * len(pages - self.touched)
        self.touched |= pages


def test_a_touch_is_what_the_first_write_takes_longer_than_the_second():
    memory, area = TouchedMemory(), floor.AREAS[0]
    assert floor.by_touch(memory, area, memory.clock) == 3.0
    assert memory.touched == set(range(area, area + floor.AREA, floor.PAGE))


def test_areas_numbers_and_rings_of_the_floor_do_not_overlap():
    numbers = floor.AREA // floor.PAGE * 4
    parts = sorted([(floor.RINGS_AT, 4 * virtio_by_qtest.QUEUE_BYTES)] +
                   [(area, floor.AREA) for area in floor.AREAS] +
                   [(floor.numbers_at(area), numbers) for area in floor.AREAS])
    assert all(at + size <= after for (at, size), (after, _) in zip(parts, parts[1:]))
    assert sum(parts[-1]) <= floor.MEMORY


TRACE = """\
virtio_queue_notify vdev 0x555d2cee8600 n 0 vq 0x7f50d80d1010
ram_block_discard_range ram@0x7f5074200000 + 0x1000: madvise: 1 fallocate: 0 ret: 0
ram_block_discard_range ram@0x7f5074200000 + 0x200000: madvise: 1 fallocate: 0 ret: 0
virtio_queue_notify vdev 0x555d2cee8600 n 3 vq 0x7f50d80d1010
virtio_balloon_set_config actual: 79872 oldactual: 79104
something else
"""


def test_a_trace_is_counted_per_gib():
    counts = traffic.count(io.StringIO(TRACE))
    assert counts == {"notify inflate": 1, "notify report": 1, "discards": 2,
                      "discarded": 0x201000, "actual": 1}
    figures = traffic.per_gib(counts, 256 << 20)
    assert (figures["inflate"], figures["report"], figures["all"]) == (4, 4, 8)
    assert figures["discards"] == 8 and figures["KiB each"] == 0x201000 / 2 / 1024
    assert traffic.per_gib(traffic.count(io.StringIO("")), 1 << 30)["KiB each"] == 0


def test_a_trace_is_taken_in_pieces():
    with traffic.Trace() as trace:
        path = trace.arguments()[-1]
        with open(path, "w", encoding="ascii") as file:
            file.write(TRACE)
        assert trace.take()["discards"] == 2
        with open(path, "a", encoding="ascii") as file:
            file.write(TRACE.splitlines(True)[0])
        assert trace.take() == {"notify inflate": 1}
    assert not os.path.exists(path)


def command(name):
    return runpy.run_path(os.path.join(BENCH, name))


class PrintingGuest:
    """Answers `print` once the meter has seen what arrives of it, look by look. The answer is its own, too."""

    def __init__(self, meter, *looks):
        self.meter, self.looks = meter, looks

    def ask(self, line, _timeout, event):
        assert event == "print"
        for data in self.looks:
            self.meter.write(data)
        self.printed = int(line.split()[1])
        return self

    def number(self, key):
        return {"bytes": self.printed, "ns": 2_000_000_000}[key]


def test_bytes_of_a_console_are_counted_and_those_that_do_not_come_too():
    tool = command("console-speed")
    line = tool["LINE"].ljust(63, b"x") + b"\n"
    meter = tool["Meter"]()
    whole = tool["PIECE"] // 64
    guest = PrintingGuest(meter, line * 10, line * 5 + line[:30], line[30:], b"noise", line * (whole - 18))
    piece = tool["one_piece"](guest, meter)
    assert (piece.bytes, piece.printed, piece.lost) == ((whole - 12) * 64, tool["PIECE"], 2 * 64)
    assert piece.seconds > 0 and piece.guest_seconds == 2
    guest.looks = (b"noise",)
    with pytest.raises(guests.ToolError, match=f"no line arrived of {tool['PIECE']} bytes"):
        tool["one_piece"](guest, meter)


def test_a_block_of_the_page_is_replaced_and_nothing_else():
    report = command("report")
    page = ("# A\n\n<!-- run: bench/a --x 1 -->\nold\n<!-- end -->\n\ntext\n\n"
            "<!-- run: bench/b -->\n<!-- end -->\nend\n")
    assert report["commands"](page) == ["bench/a --x 1", "bench/b"]
    assert report["replaced"](page, "bench/b", "| 1 |\n", "today") == page.replace(
        "<!-- run: bench/b -->\n", "<!-- run: bench/b -->\n```\n$ bench/b\n```\n\n| 1 |\n\n*today*\n")
    again = report["replaced"](page, "bench/a --x 1", "\\1 new", "today")
    assert report["replaced"](again, "bench/a --x 1", "\\1 new", "today") == again
    assert re.fullmatch(r"\d{4}-\d\d-\d\d, commit 12ab, load \d+\.\d", report["stamp_of"]("12ab"))
    assert "old" not in again and "\\1 new" in again and again.count("<!-- end -->") == 2


def test_every_command_of_the_page_exists_and_takes_its_options():
    report = command("report")
    with open(report["PAGE"], encoding="utf-8") as page:
        found = report["commands"](page.read())
    assert {line.split()[0].removeprefix("bench/") for line in found} >= set(COMMANDS) - {"report"}
    for line in found:
        words = line.split()
        done = subprocess.run([os.path.join(BENCH, "..", words[0]), *words[1:], "--help"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        known = set(re.findall(r"--[\w-]+", done.stdout))  # --help ends argparse before unknown ones
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name):
    done = subprocess.run([os.path.join(BENCH, name), "--help"], capture_output=True, text=True,
                          check=True)
    assert re.search(r"\n\n\w.{30,}", done.stdout)


def test_work_of_the_host_is_compared_with_linux_and_with_the_floor():
    work = command("host-work")

    def turns(*counts):
        return [{case: dict.fromkeys(work["COLUMNS"], n) for case in work["CASES"]} for n in counts]

    rows = work["table"]({"aerostat": turns(500, 1, 512), "linux": turns(1024), "floor": turns(0)}, "4k").splitlines()
    assert len(rows) == 2 + 3 * 5
    told = {tuple(cell.strip() for cell in row.split("|")[1:3]): row.split("|")[4:-1] for row in rows[2:]}
    case = work["CASES"][0]
    assert set(told[case, "aerostat"]) == {" 500 "}
    assert set(told[case, "linux / aerostat"]) == {" 2.05 "}
    assert set(told[case, "floor / aerostat"]) == {" 0.00 "}
    assert work["ratio"](1, 0) == "-"  # nothing there to compare with


def test_memory_that_never_leaves_is_later_than_any_other():
    cell = command("free-to-rss")["cell"]
    assert cell([0.01, 0.03, 0.02]) == "20 (10–30)"
    assert cell([0.01, None, 0.02]) == "20 (10–never)"
    assert cell([None, None, 0.02]).startswith("never (2 of 3")


def test_the_cost_of_reporting_is_a_difference_of_medians():
    row = command("idle-cost")["row"]
    assert "**0.50%**" in row("linux", {"on": [0.01, 0.9, 0.01], "off": [0.005]})
    assert "**-0.10%**" in row("aerostat", {"on": [0.001], "off": [0.002]})


def test_a_return_is_told_per_8_gib():
    runs = [((9e-4, 0.008, 2 << 20), (3e-5, 0.004, 2 << 20)), ((7e-4, 0.009, 2 << 20), (5e-5, 0.006, 2 << 20))]
    row = command("return-time")["row"](16, "private", runs)
    assert "| 40 | 5.00 | **5.00** |" in row and row.endswith("| 800 | 8.50 |")
