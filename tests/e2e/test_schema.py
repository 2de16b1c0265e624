# SPDX-License-Identifier: BSD-2-Clause
"""docs/events.md against what guests print: this file asks for every kind of line itself and adds
what the guests of this session have said before."""

import re

import pytest
from cases import BALLOON
from driven import SEEN_EVENTS
from host.image import ROOT

pytestmark = pytest.mark.e2e


def documented():
    """{(is about a balloon, kind): words} from the tables of docs/events.md."""
    kinds, is_balloon = {}, False
    for line in (ROOT / "docs" / "events.md").read_text().splitlines():
        if line.startswith("## "):
            is_balloon = "balloon" in line
        row = re.match(r"\| (?:`(\w+)`|\((\w+)\)) \|(.*?)\|", line)
        if row:
            kinds[is_balloon, row[1] or row[2]] = set(re.findall(r"`(\w+)`", row[3]))
    return kinds


def kind_of(event):
    name = event.get("event") or ("range" if event.get("map") else
                                  "test" if event.get("test") else "progress")
    return event.get("balloon") is not None, name


def test_every_event_is_documented(boot):
    with boot(BALLOON) as guest:
        guest.fill_and_free("10%")
        guest.go_to(64 << 20)
        guest.map()
        guest.guest.send("frobnicate")
        guest.guest.send("stats")
        guest.guest.ask("doctor", event="doctor")
        guest.mem()
    page = documented()
    assert len(page) > 15
    for event in SEEN_EVENTS:
        assert kind_of(event) in page, f"not in docs/events.md: {event}"
        unknown = set(event.words) - page[kind_of(event)] - {"event", "balloon"}
        assert not unknown, f"{unknown} not documented: {event}"


def test_time_never_goes_back(boot):
    with boot(BALLOON) as guest:
        for _ in range(50):
            guest.mem()
        times = [event.t for event in guest.events()]
    assert times == sorted(times)
