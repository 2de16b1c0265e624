# SPDX-License-Identifier: BSD-2-Clause
"""docs/events.md, and tests/apps/README.md for the test apps, against what guests print: this file asks for
every kind of line itself and adds what the guests of this session have said before."""

import re

import pytest
from cases import BALLOON, CONSOLE
from driven import SEEN_EVENTS
from host.image import ROOT
from under_vmware import TIMEOUT, finish, schedule
from under_vmware import boot as boot_under_vmware  # noqa: F401 (a fixture)

pytestmark = pytest.mark.e2e
APPS = ("hello", "touch --seconds=200ms --interval=50ms", "churn --seconds=200ms --interval=50ms",
        "cache --seconds=200ms --interval=50ms", "stream --size=1M --seconds=200ms --interval=50ms",
        "ftq --seconds=200ms --interval=50ms", "frag", "leak --hold=0s --interval=1ms",
        "trace --seconds=200ms --interval=50ms")
WHOSE = ("balloon", "app", "console")  # first words of lines that are not the kernel's
PAGES = (ROOT / "docs" / "events.md", ROOT / "tests" / "apps" / "README.md")


def group(heading):
    """Whose events the tables below a heading are."""
    words = heading.lower().split()
    for whose in ("console", "vmware"):
        if whose in words:
            return whose
    return "balloon" if "balloon" in words else "app" if {"say", "events"} & set(words) else "kernel"


def documented():
    """{(whose, kind): words} from the tables of events."""
    kinds, whose = {}, "kernel"
    for line in (line for page in PAGES for line in page.read_text().splitlines()):
        if line.startswith("## "):
            whose = group(line)
        row = re.match(r"\| ((?:`\w+`(?:, )?)+|\((\w+)\)) \|(.*?)\|", line)
        if row:
            words = set(re.findall(r"`(\w+)`", row[3]))
            kinds.update(((whose, name), words) for name in re.findall(r"\w+", row[1]))
    return kinds


def kind_of(event):
    name = event.get("event") or ("range" if event.get("map") else
                                  "test" if event.get("test") else "progress")
    first = next(iter(event.words))
    if event.has(balloon="vmware"):
        return "vmware", name
    return first if first in WHOSE else "kernel", name


def ask_under_vmware(boot):
    with boot("caps=0x3e", *schedule(5000, 0, 3000)) as run:
        run.wait("schedule", TIMEOUT, event="over")
        for command in ("vmmemctl", "stats"):
            run.guest.send(command)
        run.guest.ask("doctor", event="doctor")
        finish(run)


def ask_on_a_console(boot):
    with boot(CONSOLE) as guest:
        guest.guest.send("stats")
        guest.guest.wait_for(lambda event: event.has(console="virtio", event="channel"), 10)


def test_every_event_is_documented(boot, boot_under_vmware):  # noqa: F811
    with boot(BALLOON) as guest:
        guest.fill_and_free("10%")
        guest.go_to(64 << 20)
        guest.map()
        guest.guest.send("frobnicate")
        guest.guest.send("stats")
        guest.guest.ask("doctor", event="doctor")
        guest.mem()
        for app in APPS:
            guest.run(app)
    ask_under_vmware(boot_under_vmware)
    ask_on_a_console(boot)
    page = documented()
    assert len(page) > 45
    assert {kind_of(event)[0] for event in SEEN_EVENTS} == {"kernel", "app", "balloon", "vmware", "console"}
    for event in SEEN_EVENTS:
        assert kind_of(event) in page, f"not in docs/events.md: {event}"
        unknown = set(event.words) - page[kind_of(event)] - {"event", *(set(WHOSE) & {next(iter(event.words))})}
        assert not unknown, f"{unknown} not documented: {event}"


def test_time_never_goes_back(boot):
    with boot(BALLOON) as guest:
        for _ in range(50):
            guest.mem()
        times = [event.t for event in guest.events()]
    assert times == sorted(times)
