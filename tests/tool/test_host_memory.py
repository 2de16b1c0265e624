# SPDX-License-Identifier: BSD-2-Clause
"""The figures of the host, against memory and files whose state we know."""

import mmap
import os
import time

import pytest
from host import host_memory, scenario
from host.errors import MIB, ToolError
from host.host_memory import PAGE, RamFile


def test_rss_follows_memory_we_touch():
    before, _ = host_memory.rss(os.getpid())
    area = mmap.mmap(-1, 32 * MIB)
    for at in range(0, len(area), PAGE):
        area[at] = 1
    touched, _ = host_memory.rss(os.getpid())
    area.madvise(mmap.MADV_DONTNEED)
    given_back, _ = host_memory.rss(os.getpid())
    assert touched - before >= 30 * MIB
    assert touched - given_back >= 30 * MIB


def test_process_that_is_gone():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(ToolError, match="is gone"):
        host_memory.rss(child)
    with pytest.raises(ToolError, match="is gone"):
        host_memory.cpu_seconds(child)


def test_cpu_seconds_count_work():
    start, end = host_memory.cpu_seconds(os.getpid()), time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 <= host_memory.cpu_seconds(os.getpid()) - start < 5


@pytest.fixture
def ram_file():
    file = RamFile(f"/dev/shm/aerostat-test-{os.getpid()}", 16 * MIB)
    yield file
    file.close()


def test_new_file_is_one_hole(ram_file):
    assert ram_file.data() == []
    assert ram_file.allocated() == 0


def test_data_ranges_and_holes(ram_file):
    os.pwrite(ram_file.fd, b"x" * 3 * PAGE, 5 * PAGE)
    os.pwrite(ram_file.fd, b"x", 4095 * PAGE)
    assert ram_file.data() == [(5, 3), (4095, 1)]
    assert ram_file.allocated() == 4 * PAGE


def test_name_goes_and_file_stays(ram_file):
    path = ram_file.path
    ram_file.forget_name()
    ram_file.forget_name()
    assert not os.path.exists(path)
    assert os.pwrite(ram_file.fd, b"x", 0) == 1


def test_file_that_cannot_be_made():
    with pytest.raises(ToolError, match="cannot make the RAM file"):
        RamFile("/nonexistent/ram", MIB)


@pytest.mark.parametrize("left, right, pages", [
    ([], [(0, 5)], 0), ([(0, 5)], [(5, 5)], 0), ([(0, 5)], [(4, 5)], 1),
    ([(0, 100)], [(1, 2), (50, 10), (99, 9)], 13), ([(3, 4), (9, 2)], [(0, 10)], 5),
])
def test_overlap(left, right, pages):
    assert host_memory.overlap(left, right) == pages
    assert host_memory.overlap(right, left) == pages


def test_the_fill_never_empties_the_host(monkeypatch):
    monkeypatch.setattr(scenario, "available", lambda: 1000 * MIB)
    assert scenario.fill_size(512 * MIB) == "409M"
    assert scenario.fill_size(64 << 30) == "600M"
    monkeypatch.undo()
    assert host_memory.available() > MIB
