# SPDX-License-Identifier: BSD-2-Clause
"""What makes the balloon fast, seen from outside: blocks that are reported before they are inflated, memory
that is back before the host was told, requests that a host with huge pages can use."""

import contextlib
import pathlib

import pytest
from cases import BALLOON, HUGETLB, REPORTING
from host.errors import MIB
from host.host_memory import PAGE

pytestmark = pytest.mark.e2e
BLOCK = 2 * MIB
POOL = pathlib.Path("/proc/sys/vm/nr_hugepages")


def stats_of(guest):
    """All words of `stats`, whose last line says `ring_errors`."""
    since = guest.guest.seen
    guest.guest.send("stats")
    guest.guest.wait_for(lambda e: e.has(event="stats") and e.number("ring_errors") is not None, 10,
                         since, "event=stats")
    words = {}
    for event in guest.events(since, event="stats"):
        words.update(event.words)
    return {name: int(value, 0) for name, value in words.items() if value[:1].isdigit()}


def test_touched_blocks_are_reported_and_then_inflated(boot):
    with boot(REPORTING) as guest:
        guest.fill_and_free("80%")
        held_before = guest.guest.ram_file.allocated()
        shrink = 256 * MIB
        guest.go_to(REPORTING.memory - shrink)
        stats = stats_of(guest)
        assert stats["reporting"] == 1
        assert stats["reported"] == shrink // PAGE
        assert stats["reports"] < shrink // BLOCK  # several ranges in an element
        assert stats["inflated"] == shrink // PAGE
        assert held_before - guest.guest.ram_file.allocated() >= shrink - BLOCK
        assert stats["absent"] == stats["owed"] == 0


def test_memory_is_back_before_the_host_is_told(boot):
    with boot(REPORTING) as guest:
        guest.go_to(REPORTING.memory // 4)
        since = guest.guest.seen
        guest.go_to(REPORTING.memory)
        event = guest.guest.wait_for(lambda e: e.has(event="return"), 10, since, "event=return")
        assert event.number("frames") >= REPORTING.memory * 3 // 4 // PAGE - 512
        assert 0 < event.number("first_ns") <= event.number("all_ns")
        stats = stats_of(guest)
        assert stats["early"] == 1 and stats["owed"] == 0
        assert stats["deflated"] == stats["returned_early"] == stats["inflated"]


def test_early_return_can_be_turned_off(boot):
    with boot(BALLOON, config="balloon.early_return=off") as guest:
        guest.go_to(BALLOON.memory // 2)
        guest.go_to(BALLOON.memory)
        stats = stats_of(guest)
        assert stats["early"] == stats["returned_early"] == 0
        assert guest.events(event="return") == []


@contextlib.contextmanager
def huge_pages(count):
    """So many huge pages in the host's pool, or a skip that says why there are none."""
    try:
        before = POOL.read_text()
        POOL.write_text(str(count))
    except OSError as problem:
        pytest.skip(f"nr_hugepages cannot be set: {problem.strerror}")
    try:
        if int(POOL.read_text()) < count:
            pytest.skip(f"nr_hugepages: the host has no {count} huge pages to spare")
        yield
    finally:
        POOL.write_text(before)


def free_huge_pages():
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("HugePages_Free:")).split()[1])


@pytest.mark.parametrize("wide, share", [("auto", 1.0), ("off", 0.0)])
def test_a_host_with_huge_pages_gets_them_back(boot, wide, share):
    """A huge page is freed when one element names all of it; in two elements it never is."""
    with huge_pages(HUGETLB.memory // BLOCK):
        with boot(HUGETLB, ram="hugetlb", config=f"balloon.wide={wide}") as guest:
            guest.fill_and_free("90%")
            before = free_huge_pages()
            shrink = HUGETLB.memory // 2
            guest.go_to(HUGETLB.memory - shrink)
            gained = free_huge_pages() - before
            assert abs(gained - share * shrink // BLOCK) <= 1, f"{gained} huge pages came free"
