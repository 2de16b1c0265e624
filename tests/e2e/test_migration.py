# SPDX-License-Identifier: BSD-2-Clause
"""A guest that is stopped, stored, or moved to another QEMU while its balloon moves and an app runs; and how
much a migration sends when the guest hints its free memory."""

import statistics
import time

import pytest
from cases import HINTS, MOVED
from host.errors import GIB, MIB
from host.host_memory import PAGE

pytestmark = pytest.mark.e2e
PAIRS = 3
MOST_SENT = 0.10  # of what goes over the wire without hints
LINK = 128 * MIB  # bytes a second: QEMU's own default, and what a Gigabit link carries
FILLED, KEPT = 900 * MIB, 20 * MIB
SLOW_LINK, WANTED = 4 * MIB, 600 * MIB
TOUCH = "touch --size={}M --pattern=random --write=10 --seconds={}"
LOW = 48 * MIB


def run_job(guest, job, command, **arguments):
    """A QMP command that starts a job; its end is waited for, and must be a success."""
    guest.qmp.execute(command, job_id=job, **arguments)
    deadline = time.monotonic() + 20
    while True:
        state = next(each for each in guest.qmp.execute("query-jobs") if each["id"] == job)
        if state["status"] == "concluded":
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.01)
    assert "error" not in state, state
    guest.qmp.execute("job-dismiss", id=job)


def add_disk(guest, path):
    """A place for savevm: an empty qcow2 file that no device of the guest uses."""
    run_job(guest, "make-file", "blockdev-create",
            options={"driver": "file", "filename": path, "size": 0})
    guest.qmp.execute("blockdev-add", driver="file", filename=path, node_name="state-file")
    run_job(guest, "make-disk", "blockdev-create",
            options={"driver": "qcow2", "file": "state-file", "size": 64 * MIB})
    guest.qmp.execute("blockdev-add", driver="qcow2", file="state-file", node_name="state")


def hmp(guest, line):
    """A command of the human monitor, which says nothing when it works."""
    said = guest.qmp.execute("human-monitor-command", timeout=60, command_line=line)
    assert not said.strip(), said


def migrate(source, destination, tmp_path, bandwidth=8 * GIB):
    """Move the guest at so many bytes a second; what query-migrate says in the end."""
    begin_migration(source, destination, tmp_path, bandwidth)
    return end_migration(source, destination)


def begin_migration(source, destination, tmp_path, bandwidth):
    uri = f"unix:{tmp_path}/migration"
    destination.qmp.execute("migrate-incoming", uri=uri)
    source.qmp.execute("migrate-set-parameters", max_bandwidth=bandwidth, downtime_limit=1000)
    source.qmp.execute("migrate", uri=uri)


def end_migration(source, destination):
    done = source.qmp.migration_end(timeout=120)
    assert done["status"] == "completed", done
    deadline = time.monotonic() + 20
    while destination.qmp.execute("query-status")["status"] != "running":
        assert time.monotonic() < deadline, "the destination does not run"
        time.sleep(0.01)
    return done


def check_alive(guest, target):
    """It meets a target, its books agree, and both sides tell the same size."""
    guest.go_to(target, timeout=60)
    assert guest.mem("mem check").number("hinted") == 0
    assert guest.check_size() == target


def begin(guest, seconds, size=8):
    """Start the app, and see that it has begun: typing is not part of a guest's state."""
    guest.guest.ask(f"run {TOUCH.format(size, seconds)}", event="app_start")


def expect_end(guest, since):
    """The app ends by itself, and had everything as it wrote it."""
    end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 60, since, "event=app_exit")
    assert (end.get("by"), end.get("code")) == ("exit", "0"), end


def walk(guest, rng, seconds):
    """Set a new target all the time; the guest is on its way to one when this ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        guest.qmp.balloon(rng.randrange(LOW // PAGE, guest.memory // PAGE + 1) * PAGE)
        time.sleep(rng.uniform(0.02, 0.1))
    guest.qmp.balloon(LOW if guest.qmp.query_balloon() > guest.memory // 2 else guest.memory)


# ---- hints ----


def bytes_sent(start, tmp_path, hint):
    """By a migration after FILLED bytes were written and freed, and KEPT were written."""
    config = f"balloon.hint={'on' if hint else 'off'}"
    with start(HINTS, config=config, ram="private") as source, \
         start(HINTS, config=config, ram="private", incoming=True) as destination:
        source.wait_ready()
        source.guest.ask(f"fill {FILLED}", timeout=60, event="fill")
        source.guest.ask("free", timeout=60, event="free")
        source.guest.ask(f"fill {KEPT}", timeout=30, event="fill")
        done = migrate(source, destination, tmp_path, LINK)
        destination.guest.send("stats")
        stats = destination.guest.wait_for(lambda e: e.get("hint_bytes"), 10)
        assert (stats.number("hint_bytes") > FILLED // 2) == hint, stats
        assert stats.number("hint_rounds") > 0, stats
        assert destination.guest.ask("free", timeout=30, event="free").number("bytes") == KEPT
        assert destination.events(event="error") == [], "filled pages were lost"
        check_alive(destination, GIB // 2)
        check_alive(destination, GIB - PAGE)
        return done["ram"]["transferred"]


def test_hinted_memory_is_not_sent(start, tmp_path):
    sent = {True: [], False: []}
    for _ in range(PAIRS):
        for hint in (True, False):
            sent[hint].append(bytes_sent(start, tmp_path, hint))
    share = statistics.median(sent[True]) / statistics.median(sent[False])
    for hint, name in ((True, "with"), (False, "without")):
        print(f"MiB sent {name} hints: {', '.join(f'{x / MIB:.1f}' for x in sent[hint])}")
    print(f"medians: {share:.1%}")
    assert share <= MOST_SENT


def test_an_app_gets_what_was_hinted(start, tmp_path):
    """Most of the memory is with the host as hints, and the migration would last for minutes."""
    with start(HINTS, config="balloon.hint=on", ram="private") as source, \
         start(HINTS, config="balloon.hint=on", ram="private", incoming=True) as destination:
        source.wait_ready()
        source.fill_and_free(f"{FILLED // MIB}M")
        begin_migration(source, destination, tmp_path, SLOW_LINK)
        wait_for_memory(source, "hinted", FILLED // 2)
        begin(source, 5, size=WANTED // MIB)
        wait_for_memory(source, "app", WANTED)
        assert source.mem().number("hinted") < FILLED // 2
        source.qmp.execute("migrate-set-parameters", max_bandwidth=8 * GIB)
        end_migration(source, destination)
        expect_end(destination, 0)
        assert destination.events(event="error") == []
        check_alive(destination, GIB // 2)


def wait_for_memory(guest, state, size):
    deadline = time.monotonic() + 20
    while (now := guest.mem()).number(state) < size:
        assert time.monotonic() < deadline, f"{now}: not {size} bytes {state}"
        time.sleep(0.05)


# ---- while the balloon moves and an app runs ----


def test_live_migration(start, rng, tmp_path):
    with start(MOVED) as source, start(MOVED, incoming=True) as destination:
        source.wait_ready()
        source.fill_and_free("60%")
        begin(source, 15)
        walk(source, rng, 0.5)
        migrate(source, destination, tmp_path)
        assert source.events(event="app_exit") == [], "the migration took too long"
        walk(destination, rng, 0.5)
        expect_end(destination, 0)
        check_alive(destination, MOVED.memory // 2)
        check_alive(destination, MOVED.memory)


def test_stored_and_loaded(boot, rng, tmp_path):
    """What is loaded is the guest as it was, with the target it had then."""
    with boot(MOVED) as guest:
        add_disk(guest, f"{tmp_path}/state.qcow2")
        guest.fill_and_free("60%")
        begin(guest, 6)
        walk(guest, rng, 0.5)
        hmp(guest, "savevm one")
        walk(guest, rng, 0.5)
        since = guest.guest.seen
        hmp(guest, "loadvm one")
        walk(guest, rng, 0.5)
        expect_end(guest, since)
        check_alive(guest, MOVED.memory // 2)
        hmp(guest, "loadvm one")
        since = guest.guest.seen
        expect_end(guest, since)
        check_alive(guest, MOVED.memory)


def test_stopped_and_continued(boot, rng):
    with boot(MOVED) as guest:
        guest.fill_and_free("60%")
        since = guest.guest.seen
        begin(guest, 6)
        for _ in range(8):
            walk(guest, rng, 0.2)
            guest.qmp.execute("stop")
            time.sleep(rng.choice((0.05, 1.5)))  # more than a second is a gap to the driver
            guest.qmp.balloon(rng.randrange(LOW // PAGE, guest.memory // PAGE + 1) * PAGE)
            guest.qmp.execute("cont")
        expect_end(guest, since)
        check_alive(guest, MOVED.memory // 2)
        assert guest.events(event="broken") == []
