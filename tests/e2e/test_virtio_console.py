# SPDX-License-Identifier: BSD-2-Clause
"""The virtio console in place of the UART: commands in, text and events out, while the balloon moves.

QEMU's balloon has no MSI-X: here each kind of interrupt is seen to work, on every transport.
"""

import contextlib
import io
import socket
import time

import pytest
from cases import CONSOLE, CONSOLES, Case
from host import events
from host.errors import MIB
from test_console import connect
from test_suspend import ASLEEP_S, fall_asleep, wake

pytestmark = pytest.mark.e2e


def with_port(path):
    """The arguments for an event port at a socket."""
    return ("-chardev", f"socket,id=events,path={path},server=on,wait=off",
            "-device", "virtserialport,chardev=events,name=org.aerostat.events")


def stats(guest, kind):
    since = guest.guest.seen
    guest.guest.send("stats")
    return guest.guest.wait_for(lambda e: e.has(console="virtio", event=kind), 10, since)


@pytest.mark.parametrize("case, transport, irq", CONSOLES, ids=lambda value: getattr(value, "name", None))
def test_a_guest_without_a_uart(boot, case, transport, irq):
    with boot(case) as guest:
        attached = guest.events(console="virtio", event="attached")
        assert len(attached) == 1
        assert (attached[0].get("transport"), attached[0].get("irq")) == (transport, irq)
        is_packed = attached[0].number("features") >> 34 & 1
        assert is_packed == ("packed=on" in case.console)
        for _ in range(30):
            guest.mem()
        guest.fill_and_free()
        for target in (case.memory // 2, case.memory - MIB, case.memory):
            guest.go_to(target)
            guest.check_size()
        told = stats(guest, "stats")
        assert told.get("irq") == irq, "interrupts do not arrive"
        assert (told.number("irqs") > 30) == (irq != "poll"), told
        assert told.number("missed_irqs") == told.number("ring_errors") == 0, told
        text = stats(guest, "channel")
        assert text.get("channel") == "text" and text.number("dropped") == 0, text
        guest.guest.send("poweroff")
        assert guest.guest.exit_status() == 0


def read_events(line, until, timeout=10):
    """The events a port gives up to the first that `until` accepts."""
    said, deadline = b"", time.monotonic() + timeout
    line.settimeout(0.2)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            said += line.recv(65536)
        lines = said.split(b"\n")[:-1]
        found = [events.parse_line(text.decode(), 0) for text in lines]
        assert None not in found, f"not an event: {lines[found.index(None)]}"
        if any(until(event) for event in found):
            return found
    raise AssertionError(f"not within {timeout} s; last: {lines[-1:]}")


def test_the_event_port_has_the_events_and_takes_commands(boot, tmp_path):
    """All of them: also what was said before its reader came."""
    with boot(CONSOLE, extra=with_port(tmp_path / "events")) as guest, \
            contextlib.closing(connect(tmp_path / "events")) as port:
        port.sendall(b"mem\n")
        found = read_events(port, lambda event: event.has(event="mem"))
        guest.guest.wait_for(lambda event: event.has(event="mem"), 10)
        assert found[0].has(event="boot")
        assert [repr(event) for event in found] == [repr(event) for event in guest.events()]


def test_a_reader_that_does_not_read_costs_events_not_time(boot, tmp_path):
    with boot(CONSOLE, extra=with_port(tmp_path / "events")) as guest, \
            contextlib.closing(connect(tmp_path / "events")) as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(10):  # more than socket and ring hold
            for _ in range(150):
                guest.guest.send("mem")
            guest.mem()
        guest.go_to(CONSOLE.memory // 2, timeout=2)
        waiting = [event for event in channels(guest) if event.get("channel") == "events"][0]
        assert waiting.number("dropped") > 0, waiting
        of_events = {"event": "console_dropped", "channel": "events"}  # a slow reader of the text may lose some, too
        read_events(port, lambda event: event.has(**of_events))
        dropped = guest.guest.wait_for(lambda event: event.has(**of_events), 5)
        assert dropped.number("bytes") >= waiting.number("dropped")
        port.sendall(b"doctor\n")
        read_events(port, lambda event: event.has(event="doctor"))


def channels(guest):
    since = guest.guest.seen
    guest.guest.ask("stats", balloon="virtio", event="stats")
    return guest.events(since, console="virtio", event="channel")


def test_a_second_device_is_left_alone(boot):
    """R-V-02: kernel/drivers.c has that rule for all drivers, and QEMU takes a second one of consoles only."""
    log = io.BytesIO()
    with boot(CONSOLE, log, extra=("-device", "virtio-serial-pci,id=second")) as guest:
        assert len(guest.events(console="virtio", event="attached")) == 1
        [line] = [line for line in log.getvalue().splitlines() if b"a second device" in line]
        assert line.endswith(b"is left alone"), line
        consoles = [device["path"] for device in guest.qmp.execute("x-query-virtio")
                    if device["name"] == "virtio-serial"]
        status = {"/second/" in path: guest.qmp.execute("x-query-virtio-status", path=path)["status"]["statuses"]
                  for path in consoles}
        assert len(status) == len(consoles) == 2
        assert status[True] == [], "it is not as after a reset"
        assert any("DRIVER_OK" in word for word in status[False])
        guest.mem()


def test_last_words(boot):
    """By polling, with interrupts off, of a kernel that does not go on."""
    with boot(CONSOLE) as guest:
        guest.guest.send("print 256K")
        guest.guest.send("crash panic")
        panic = guest.guest.wait_for(lambda event: event.has(event="panic"), 10)
        assert "as asked for" in panic.get("reason")
        assert guest.guest.exit_status() == 7
        assert guest.guest.last_words.startswith("panic: ")


def test_it_sleeps_with_the_machine(boot):
    """What is said while it is away is sent when it is back; then all is as before."""
    with boot(CONSOLE) as guest:
        guest.go_to(CONSOLE.memory // 2)
        for _ in range(2):
            since = guest.guest.seen
            fall_asleep(guest)
            time.sleep(ASLEEP_S)
            wake(guest, since)
            guest.guest.wait_for(lambda event: event.has(console="virtio", event="attached"), 10, since)
            assert len(guest.events(since, console="virtio", event="detached")) == 1
            guest.mem()
            told = stats(guest, "stats")
            assert told.number("irqs") > 0 and told.number("missed_irqs") == 0, told
        guest.go_to(CONSOLE.memory)


def test_left_out_by_the_setting(boot):
    case = Case("console-left-out", config="console=serial",
                extra=("-device", "virtio-serial-pci", "-chardev", "null,id=none",
                       "-device", "virtconsole,chardev=none"))
    with boot(case) as guest:
        assert guest.events(console="virtio") == []
        guest.go_to(guest.memory // 2)
