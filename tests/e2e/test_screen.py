# SPDX-License-Identifier: BSD-2-Clause
"""The status page as a person at the machine sees it: text and graph on the screen, and the keys."""

import re
import time

import pytest
from cases import SCREEN, SCREEN_SMALL, SCREEN_VMWARE
from host.errors import MIB
from screen import read_font, take

pytestmark = pytest.mark.e2e

# 1280 x 800: rows of cells of the large page, and the graph's pixels.
NAME, FACTS, FIGURES, FOOTER = 1, 4, 10, 49
GRAPH_LEFT, GRAPH_RIGHT, GRAPH_TOP, GRAPH_BOTTOM = 16, 1264, 15 * 16, 27 * 16
FIGURE_COLUMNS = {"target": 2, "balloon": 41, "free": 80, "rate": 119}
BALLOON, USED, FREE, TARGET = 0x2BA48F, 0x5A6779, 0x1F3350, 0xFFC857
KEYS = "p  power off    r  reboot    d  details"


class Page:
    """Looks at a guest's page until it shows what it must."""

    def __init__(self, guest, folder, font):
        self.guest, self.folder, self.font = guest, folder, font

    def look(self):
        return take(self.guest, self.folder, self.font)

    def wait(self, shows, what, timeout=40):
        deadline = time.monotonic() + timeout
        while not shows(screen := self.look()):
            assert time.monotonic() < deadline, f"not on the screen: {what}\n" + "\n".join(screen.lines())
            time.sleep(0.5)
        return screen

    def press(self, *keys):
        self.guest.qmp.execute("send-key", keys=[{"type": "qcode", "data": key} for key in keys])


def figure(screen, name):
    """A figure's text, up to two blanks."""
    return re.split(r" {2,}|\0", screen.line(FIGURES, 2, FIGURE_COLUMNS[name]))[0]


def balloon_height(screen, x):
    """Pixels of the balloon's colour at the bottom of a column of the graph."""
    column = screen.column(x, GRAPH_TOP, GRAPH_BOTTOM)
    return next((y for y, colour in enumerate(column) if colour not in (BALLOON, TARGET)), len(column))


def check_head(screen, guest):
    assert screen.line(NAME, 2, 2).startswith("Aerostat")
    lines = screen.lines()
    assert re.fullmatch(r"  machine      QEMU TCG CPU .*, \d+\.\d MiB of RAM, started by EFI", lines[FACTS])
    assert lines[FACTS + 1] == "  hypervisor   QEMU TCG"
    [attached] = guest.events(balloon="virtio", event="attached")
    assert lines[FACTS + 2].startswith(
        f"  balloon      virtio 1, {attached.get('transport')} at {attached.get('at')}, {attached.get('irq')}, split rings")
    assert any(re.fullmatch(r" +0\.\d{3}  event=ready", line) for line in lines[29:FOOTER])
    assert lines[FOOTER].strip() == KEYS


def check_graph_moves(page, guest):
    """A target makes a step in the graph, of the right height, and the step wanders to the left."""
    before = page.look()
    assert (before.width, before.height) == (1280, 800)
    assert balloon_height(before, GRAPH_RIGHT - 1) <= 2  # the target's line at most
    guest.go_to(guest.memory - 64 * MIB)
    height = (GRAPH_BOTTOM - GRAPH_TOP) * 64 / (guest.mem().number("total") / MIB)
    after = page.wait(lambda s: abs(balloon_height(s, GRAPH_RIGHT - 1) - height) <= 2, f"{height} pixels of balloon")
    assert (figure(after, "target"), figure(after, "balloon")) == ("64.0 MiB", "64.0 MiB")
    edge = step_at(after)
    later = page.wait(lambda s: step_at(s) <= edge - 8, "a graph that moves")
    assert balloon_height(later, GRAPH_RIGHT - 1) == pytest.approx(height, abs=2)
    rate = page.wait(lambda s: figure(s, "rate") == "0.0 MiB/s", "a rate at rest")
    assert figure(rate, "balloon") == "64.0 MiB"


def step_at(screen):
    """The leftmost column in which the balloon is higher than ten pixels."""
    row = screen.row(GRAPH_BOTTOM - 11)
    return next((x for x in range(GRAPH_LEFT, GRAPH_RIGHT)
                 if row[3 * x:3 * x + 3] == BALLOON.to_bytes(3, "big")), GRAPH_RIGHT)


def check_details(page, guest):
    page.press("d")
    keys = KEYS.replace("details", "back")  # drawn last
    screen = page.wait(lambda s: s.lines()[5].startswith("  virtio balloon") and s.lines()[FOOTER].strip() == keys,
                       "details")
    text = "\n".join(screen.lines())
    assert re.search(r"pages inflated +16384\b", text)
    assert re.search(r"queue inflate +0\b", text) and re.search(r"in balloons +64\.0 MiB", text)
    page.press("d")
    screen = page.wait(lambda s: balloon_height(s, GRAPH_RIGHT - 1) > 10, "the graph again")  # drawn last
    assert figure(screen, "balloon") == "64.0 MiB"
    check_head(screen, guest)


def test_page_and_keys(start, build, tmp_path):
    with start(SCREEN, reboot=True) as guest:
        guest.wait_ready()
        page = Page(guest, tmp_path, read_font(build))
        check_head(page.wait(lambda s: s.lines()[FOOTER].strip() == KEYS, "the keys"), guest)
        check_graph_moves(page, guest)
        check_details(page, guest)
        page.press("ctrl", "p")  # not for us
        page.press("alt", "r")
        guest.mem()
        since = guest.guest.seen
        page.press("r")
        guest.wait_ready(since)
        page.press("p")
        assert guest.guest.exit_status(20) == 0
        assert "keyboard: poweroff" in guest.guest.last_line


def test_what_is_known_of_vmware_has_its_line(start, build, tmp_path):
    """Below that of the virtio balloon. (The levels of a host with a balloon: tests/host/test_vmware_status.c.)"""
    with start(SCREEN_VMWARE) as guest:
        guest.wait_ready()
        page = Page(guest, tmp_path, read_font(build))
        lines = page.wait(lambda s: "VMware" in s.lines()[FACTS + 3], "VMware's line").lines()
        assert lines[FACTS + 1] == "  hypervisor   none that CPUID tells of"
        assert lines[FACTS + 2].startswith("  balloon      virtio 1, ")
        assert lines[FACTS + 3] == f"{'':15}VMware by smbios, product esx; no balloon: the host has no balloon"


def test_small_screen_without_a_keyboard_and_last_words(start, build, tmp_path):
    log = tmp_path / "serial.log"
    with open(log, "wb", 0) as file, start(SCREEN_SMALL, file, debug_exit=False) as guest:
        guest.wait_ready()
        page = Page(guest, tmp_path, read_font(build))
        screen = page.wait(lambda s: "event=ready" in "\n".join(s.lines()), "event=ready")
        assert (screen.width, screen.height) == (640, 480)
        lines = screen.lines()
        assert lines[0].startswith("  Aerostat")
        assert re.match(r"  QEMU TCG; virtio 1, pci-", lines[1])
        assert re.fullmatch(r"  target 0\.0 MiB   balloon 0\.0 MiB   0\.0 MiB/s", lines[2])
        assert "power off" not in lines[-1]
        assert "keyboard: none" in log.read_text(errors="replace")
        guest.guest.send("crash assert")
        page.wait(lambda s: any(line.startswith("  panic: ") for line in s.lines()), "last words")
