# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of line is asked for and looked up in docs/events.md (event_page.py, which looks at the lines of all
other guests as well)."""

import pytest
from cases import BALLOON, CONSOLE
from event_page import check, documented, kind_of
from host.events import parse_line
from under_vmware import TIMEOUT, finish, schedule
from under_vmware import boot as boot_under_vmware  # noqa: F401 (a fixture)

pytestmark = pytest.mark.e2e
APPS = ("hello", "touch --seconds=200ms --interval=50ms", "churn --seconds=200ms --interval=50ms",
        "cache --seconds=200ms --interval=50ms", "stream --size=1M --seconds=200ms --interval=50ms",
        "ftq --seconds=200ms --interval=50ms", "frag", "leak --hold=0s --interval=1ms",
        "trace --seconds=200ms --interval=50ms")


def ask_the_kernel(boot):
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
        return guest.events()


def ask_under_vmware(boot):
    with boot("caps=0x3e", *schedule(5000, 0, 3000)) as run:
        run.wait("schedule", TIMEOUT, event="over")
        for command in ("vmmemctl", "stats"):
            run.guest.send(command)
        run.guest.ask("doctor", event="doctor")
        finish(run)
        return run.guest.events_since(0)[0]


def ask_on_a_console(boot):
    with boot(CONSOLE) as guest:
        guest.guest.send("stats")
        guest.guest.wait_for(lambda event: event.has(console="virtio", event="channel"), 10)
        return guest.events()


def test_every_event_is_documented(boot, boot_under_vmware):  # noqa: F811
    events = ask_the_kernel(boot) + ask_under_vmware(boot_under_vmware) + ask_on_a_console(boot)
    assert len(documented()) > 45
    assert {kind_of(event)[0] for event in events} == {"kernel", "app", "balloon", "vmware", "console"}
    check(events)


@pytest.mark.parametrize("line", ["@ t=1 event=unheard_of", "@ t=1 balloon=virtio event=attached unheard_of=1", "@ t=1"])
def test_a_line_that_is_not_is_found(line):
    with pytest.raises(AssertionError, match="documented|not in docs"):
        check([parse_line(line)])


def test_time_never_goes_back(boot):
    with boot(BALLOON) as guest:
        for _ in range(50):
            guest.mem()
        times = [event.t for event in guest.events()]
    assert times == sorted(times)
