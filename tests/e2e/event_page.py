# SPDX-License-Identifier: BSD-2-Clause
"""docs/events.md, and tests/apps/README.md for the test apps, against what guests print: each guest's lines are looked
at when it ends."""

import functools
import re

from host.image import ROOT

WHOSE = ("balloon", "app", "console")  # first words of lines that are not the kernel's
PAGES = (ROOT / "docs" / "events.md", ROOT / "tests" / "apps" / "README.md")


def group(heading):
    """Whose events the tables below a heading are."""
    words = heading.lower().split()
    for whose in ("console", "vmware"):
        if whose in words:
            return whose
    return "balloon" if "balloon" in words else "app" if {"say", "events"} & set(words) else "kernel"


@functools.cache
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
    first = next(iter(event.words), "")
    if event.has(balloon="vmware"):
        return "vmware", name
    return first if first in WHOSE else "kernel", name


def check(events):
    """Each of the events, and each word of it, is on the page."""
    page = documented()
    for event in events:
        assert kind_of(event) in page, f"not in docs/events.md: {event}"
        whose = {next(iter(event.words))} & set(WHOSE)
        unknown = set(event.words) - page[kind_of(event)] - {"event"} - whose
        assert not unknown, f"{unknown} not documented: {event}"
