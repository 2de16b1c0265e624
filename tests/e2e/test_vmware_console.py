# SPDX-License-Identifier: BSD-2-Clause
"""What a person at the console is told about the VMware balloon, under the monitor that plays VMware: the commands
vmmemctl, stats, doctor, balloon map, detach and attach, and what is said when memory is short."""

import contextlib
import re
import time

import pytest
import vmhost
from cases import SERIAL
from host.errors import MIB
from under_vmware import QUICK, SLACK, TIMEOUT, boot, finish, finish_at, settle  # noqa: F401 (boot is a fixture)

pytestmark = pytest.mark.e2e

FRAME = 4096


class Console:
    """Asks the guest of a run, and reads what it answers in plain text."""

    def __init__(self, run, path):
        self.run, self.path = run, path

    def ask(self, line, **words):
        """The lines of text until the event that ends the answer, without their times; and the balloon's events."""
        start, since = len(self.path.read_bytes()), self.run.guest.seen
        self.run.guest.ask(line, TIMEOUT, **words)
        text = self.path.read_bytes()[start:].decode().replace("\r", "")
        return re.findall(r"^\[ *\d+\.\d{6}\] (.*)$", text, re.M), \
            [event for event in self.run.guest.events_since(since)[0] if event.has(balloon="vmware")]

    def stats(self, command="stats"):
        """All words of event=stats; and the text."""
        text, events = self.ask(command, balloon="vmware", wrong_entries="0")
        words = {}
        for event in (event for event in events if event.has(event="stats")):
            assert not {*words} & {*event.words} - {"balloon", "event"}, "a word stands there twice"
            words.update(event.words)
        return words, text

    def doctor(self):
        """Its line about VMware."""
        [line] = [line for line in self.ask("doctor", event="doctor")[0] if "VMware" in line]
        return line

    def go_to(self, target, size=None):
        since = self.run.guest.seen
        self.run.say(f"target={target}")
        self.run.guest.wait_for(lambda e: e.has(balloon="vmware", target=str(target), actual=str(size or target)),
                                TIMEOUT, since)

    def lose_session(self, size):
        """All is forgotten; wait until it is there again."""
        since = self.run.guest.seen
        self.run.say("reset")
        self.run.guest.wait_for(lambda e: e.has(event="session"), TIMEOUT, since)
        self.run.guest.wait_for(lambda e: e.has(balloon="vmware", actual=str(size)), TIMEOUT, since)

    def calls(self):
        self.run.audit()
        return {name: int(count) for name, count in self.run.said("calls")[-1].words.items() if name != "vmhost"}


@pytest.fixture
def console(boot, tmp_path):  # noqa: F811
    """As boot, but gives a Console."""
    @contextlib.contextmanager
    def begin(*words, **fields):
        path = tmp_path / "serial.log"
        with open(path, "wb", 0) as file, boot(*words, serial_log=file, **fields) as run:
            yield Console(run, path)
    return begin


def row(label, value, unit=""):
    """As drivers for VMware print it: values end in column 29."""
    return f"{label + ':':21}{value:>8}{unit}"


def pair(label, total, failed=0):
    return f"{row(label, total)} ({failed:4} failed)"


def check_vmmemctl(con, expected, **fields):
    """The text and the words of the events are those expected. {polls} and {cycles} go on meanwhile: between two looks
    of the host at its books, and as many cycles more as there were without a poll."""
    before = con.calls()["get_target"]
    words, text = con.stats("vmmemctl")
    polls, cycles = int(words["get_target"]), int(words["timer"])
    assert before <= polls <= con.calls()["get_target"]
    assert cycles - polls == fields.pop("cycles_without_poll")
    assert text == [line.format(polls=polls, cycles=cycles) for line in expected]
    assert {name: words[name] for name in fields} == {name: str(value) for name, value in fields.items()}
    assert con.stats()[0].keys() == words.keys()


def test_vmmemctl_of_the_classic_policy(console):
    """The lines of the oldest driver, each with a figure of its own where that can be: one LOCK refused, one freed at
    once, a lost session whose START and GUEST_ID fail at first, an UNLOCK that fails."""
    with console("caps=0x2e", "fault=lock@3:status=5", "fault=lock@5:status=6", "fault=start@2:status=8",
                 "fault=guest-id@2:status=8", "fault=unlock@2:status=8",
                 config="loglevel=warn vmware.policy=classic") as con:
        con.go_to(1000)
        con.lose_session(1000)
        con.go_to(400)
        calls = con.calls()
        assert (calls["start"], calls["guest_id"], calls["lock"], calls["unlock"]) == (3, 2, 2002, 601)
        check_vmmemctl(con, [
            row("target", 400, " pages"), row("current", 400, " pages"),
            row("rateNoSleepAlloc", 16384, " pages/sec"), row("rateSleepAlloc", 2048, " pages/sec"),
            row("rateFree", 8208, " pages/sec"),  # halved by the error, and a cycle without one
            "",
            row("timer", "{cycles:8}"), pair("start", 3, 1), pair("guestType", 2, 1), pair("lock", 2002, 2),
            pair("unlock", 601, 1), pair("target", "{polls:8}", 1), pair("primNoSleepAlloc", 2002),
            pair("primCanSleepAlloc", 0), row("primFree", 1600), row("errAlloc", 2), row("errFree", 1),
            "",
            row("balloon capabilities", "0x2"), row("used capabilities", "0x2"), row("is resetting", "n"),
            *(pair(name, 0) for name in ("batchLock", "batchUnlock", "2m-lock", "2m-unlock", "doorbellSet")),
            row("doorbell", 0), row("reset", 1), row("shrink", 0), row("shrinkFree", 0),
            row("alloc (4k)", 2002), row("alloc (2M)", 0), row("allocFail (4k)", 0), row("allocFail (2M)", 0),
            row("errAlloc (4k)", 2), row("errAlloc (2M)", 0), row("errFree (4k)", 1), row("errFree (2M)", 0),
            row("free (4k)", 1600), row("free (2M)", 0)],
            cycles_without_poll=1, target=400, current=400, rate_nosleep_alloc=16384, rate_sleep_alloc=2048,
            rate_free=8208, start=3, start_failed=1, guest_type=2, guest_type_failed=1, lock=2002, lock_failed=2,
            unlock=601, unlock_failed=1, get_target_failed=1, prim_nosleep_alloc=2002, prim_nosleep_alloc_failed=0,
            prim_cansleep_alloc=0, prim_cansleep_alloc_failed=0, prim_free=1600, err_alloc=2, err_free=1,
            alloc_4k=2002, popped=1000, resets=1, level="basic", caps="0x2", wished="0x2", resetting=0)
        finish(con.run)


def test_vmmemctl_of_the_modern_policy(console):
    """The lines that came later: groups and a doorbell first, of which one command is refused; after a lost session small
    pages only, batches refused both ways, and no doorbell."""
    with console("caps=0x3e", "fault=block-lock@1:status=8", "fault=start@2:caps=0x16", "fault=doorbell@2:status=8",
                 "fault=batch-lock@2+2:status=8", "fault=batch-unlock@1+2:status=8",
                 config="loglevel=warn vmware.poll=1s") as con:
        con.go_to(1500, 1536)
        con.go_to(1024)
        con.lose_session(1024)
        con.go_to(400, 512)
        calls, rings = con.calls(), len(con.run.said("ring"))
        assert (calls["batch_lock"], calls["batch_unlock"]) == (4, 3)
        assert (calls["block_lock"], calls["block_unlock"], calls["doorbell"]) == (2, 1, 2)
        check_vmmemctl(con, [
            row("target", 400, " pages"), row("current", 512, " pages"),
            row("rateNoSleepAlloc", 16384, " pages/sec"), row("rateSleepAlloc", 2048, " pages/sec"),
            row("rateFree", 16384, " pages/sec"),
            "",
            row("timer", "{cycles:8}"), pair("start", 2), pair("guestType", 2), pair("lock", 0), pair("unlock", 0),
            pair("target", "{polls:8}", 1), pair("primNoSleepAlloc", 6), pair("primCanSleepAlloc", 2048),
            row("primFree", 2048), row("errAlloc", 2560), row("errFree", 2560),
            "",
            row("balloon capabilities", "0x3e"), row("used capabilities", "0x16"), row("is resetting", "n"),
            pair("batchLock", 4, 2), pair("batchUnlock", 3, 2), pair("2m-lock", 2, 1), pair("2m-unlock", 1),
            pair("doorbellSet", 2, 1), row("doorbell", rings), row("reset", 1), row("shrink", 0), row("shrinkFree", 0),
            row("alloc (4k)", 2048), row("alloc (2M)", 6), row("allocFail (4k)", 0), row("allocFail (2M)", 0),
            row("errAlloc (4k)", 1024), row("errAlloc (2M)", 3), row("errFree (4k)", 1024), row("errFree (2M)", 3),
            row("free (4k)", 512), row("free (2M)", 3)],
            cycles_without_poll=0, target=400, current=512, batch_lock=4, batch_lock_failed=2, batch_unlock=3,
            batch_unlock_failed=2, lock_2m=2, lock_2m_failed=1, unlock_2m=1, unlock_2m_failed=0, doorbell_set=2,
            doorbell_set_failed=1, doorbells=rings, has_doorbell=0, alloc_4k=2048, alloc_4k_failed=0, alloc_2m=6,
            alloc_2m_failed=0, popped=1024, resets=1, level="batched", caps="0x16", wished="0x3e")
        finish(con.run)


def test_doctor_says_how_it_was_found_and_what_was_agreed(console):
    """A session that START opened; then it is lost, and START, tried each second, fails five times."""
    agreed = "VMware by cpuid, product esx; balloon modern, level {}, capabilities {} of 0x26, doorbell off"
    with console("caps=0x2e", "fault=start@2+5:status=8", config=f"{QUICK} vmware.level=batched") as con:
        booted = next(e for e in con.run.guest.events_since(0)[0] if e.has(event="boot"))
        assert (booted.get("clock"), booted.number("tsc_khz")) == ("cpuid-40000010", con.run.said("boot")[0].number("khz"))
        con.go_to(600)
        assert con.doctor() == f"doctor: ok: {agreed.format('batched', '0x26')}"
        con.run.say("reset")
        con.run.wait("fault")
        assert con.doctor() == f"doctor: NOT OK: {agreed.format('none', '0x0')}"
        words, text = con.stats("vmmemctl")
        assert row("is resetting", "y") in text
        assert (words["resetting"], words["level"]) == ("1", "none")
        con.run.wait("start", TIMEOUT, after=con.run.said("reset")[0].t)
        con.run.guest.wait_for(lambda e: e.has(event="session", resets="1"), TIMEOUT)
        assert con.doctor() == f"doctor: ok: {agreed.format('batched', '0x26')}"
        finish_at(con.run, 600)


@pytest.mark.parametrize("command", ["LOCK", "UNLOCK"])
def test_doctor_says_which_command_is_not_known(console, command):
    """CMD_INVALID of what START granted: not well, until another START."""
    with console("caps=0x2", f"fault={command.lower()}@201:status=1", config=QUICK) as con:
        if command == "UNLOCK":
            con.go_to(600)
            con.run.say("target=0")
        else:
            con.run.say("target=600")
        con.run.wait("fault", TIMEOUT)
        found = "VMware by cpuid, product esx; balloon modern, level basic, capabilities 0x2 of 0x2e, doorbell off"
        assert con.doctor() == f"doctor: NOT OK: the host does not know {command}: {found}"
        con.run.say("reset")
        con.run.guest.wait_for(lambda e: e.has(event="session", resets="1"), TIMEOUT)
        assert con.doctor() == f"doctor: ok: {found}"
        finish_at(con.run, 600 if command == "LOCK" else 0)


def test_found_by_its_serial_number(console):
    """CPUID tells of no hypervisor at all: the serial number and the general backdoor's answer are enough."""
    with console("caps=0x2e", "cpuid=0", config=QUICK, extra=SERIAL) as con:
        attached = next(e for e in con.run.guest.events_since(0)[0] if e.has(balloon="vmware", event="attached"))
        assert (attached.get("detected"), attached.get("version"), attached.get("product")) == ("smbios", "6", "esx")
        con.go_to(6000, 6144)
        assert con.doctor() == ("doctor: ok: VMware by smbios, product esx; "
                                "balloon modern, level batched-2m, capabilities 0x2e of 0x2e, doorbell off")
        con.go_to(0)
        finish_at(con.run, 0)


def test_map_detach_attach(console):
    """The map is what the host holds; the last word is START, and all is free; then it begins anew."""
    with console("caps=0x2e", config=QUICK) as con:
        con.go_to(5000, 5120)
        check_map(con, 5120)
        full, since = con.run.guest.ask("mem check", event="mem"), con.run.now()
        assert full.number("ballooned") == 5120 * FRAME
        con.run.guest.ask("balloon detach", TIMEOUT, balloon="vmware", event="detached")
        last = con.run.wait("start", after=since)
        assert last.number("asked") == 0
        check_nothing_is_left(con, full)
        time.sleep(0.5)  # fifty polls
        assert con.run.lines()[-1].t == last.t
        con.run.guest.ask("balloon attach", TIMEOUT, balloon="vmware", actual="5120")
        check_map(con, 5120)
        finish_at(con.run, 5120)


def check_map(con, size):
    """`balloon map`: ascending, apart, as much as the host holds."""
    *ranges, end = con.ask("balloon map", balloon="vmware", event="map_end")[1]
    pages = [tuple(int(number, 0) for number in event.get("map").split("+")) for event in ranges]
    assert sum(frames for _, frames in pages) == size == con.run.audit().number("locked")
    assert (end.number("ranges"), end.number("frames")) == (len(pages), size)
    assert all(first + frames < other for (first, frames), (other, _) in zip(pages, pages[1:]))


def check_nothing_is_left(con, full):
    """After detach: memory is free again, and the commands say that there is no balloon."""
    empty = con.run.guest.ask("mem check", event="mem")
    assert empty.number("ballooned") == 0
    assert empty.number("free") - full.number("free") >= full.number("ballooned")
    assert con.doctor() == "doctor: VMware by cpuid, product esx; no balloon: left out or detached"
    for command in ("vmmemctl", "balloon map", "balloon detach"):
        con.ask(command, event="error")


@pytest.mark.parametrize("level", ["basic", "wide"])
def test_memory_that_runs_short_comes_back(console, level):
    """vmware.shrink=on: fill gets what it wants out of the balloon, with a word to the host for each page; the balloon
    leaves that alone for 5 s, then meets its target again as soon as it can."""
    with console(f"caps={vmhost.LEVELS[level]:#x}", memory=160 * MIB, config=f"{QUICK} vmware.shrink=on") as con:
        guest = con.run.guest
        con.go_to(20480)
        assert guest.ask("fill 130M", TIMEOUT, event="fill").number("bytes") == 130 * MIB
        shrunk = guest.ask("free", TIMEOUT, event="free").t
        settle(con.run)
        check_shrunk(con)
        met = guest.wait_for(lambda e: e.has(balloon="vmware", actual="20480") and e.t > shrunk, TIMEOUT)
        last = [e for e in guest.events_since(0)[0] if e.has(event="oom_deflate")][-1]
        assert met.t - last.t >= 5_000_000_000
        finish_at(con.run, 20480)


def check_shrunk(con):
    """Events, figures and the host's books say the same of what came back."""
    came = [e.number("frames") for e in con.run.guest.events_since(0)[0] if e.has(event="oom_deflate")]
    words, text = con.stats("vmmemctl")
    audit = con.run.audit()
    assert (int(words["shrinks"]), int(words["shrink_frames"])) == (len(came), sum(came))
    assert row("shrink", len(came)) in text and row("shrinkFree", sum(came)) in text
    assert audit.number("unlocks") == sum(came) and audit.number("locked") == 20480 - sum(came)


def test_a_shortfall_is_said_once(console):
    """Not at each poll: the target is out of reach, the balloon rests, nothing changes."""
    with console("caps=0x2e", config=QUICK) as con:
        con.run.say("target=1000000")
        short = con.run.guest.wait_for(lambda e: e.has(event="shortfall"), TIMEOUT)
        assert short.number("target") == 1000000
        assert 0 <= short.number("limit") - short.number("actual") <= SLACK
        time.sleep(1)  # a hundred polls
        assert len([e for e in con.run.guest.events_since(0)[0] if e.has(event="shortfall")]) == 1
        con.run.say("target=100000")
        con.run.guest.wait_for(lambda e: e.has(event="shortfall", target="100000"), TIMEOUT)
        finish(con.run)
