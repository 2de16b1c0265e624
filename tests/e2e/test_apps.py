# SPDX-License-Identifier: BSD-2-Clause
"""Apps under a balloon that moves: workloads, memory that goes back to the host while they run, refusals,
the console beside them, settings that start and sample them, apps from outside the tree."""

import re
import shutil
import subprocess
import time

import pytest
from cases import APP_WALKS, APPS, APPS_FILLED, APPS_OOM, BALLOON, Case
from host.errors import MIB
from host.host_memory import PAGE
from host.image import ROOT

pytestmark = pytest.mark.e2e
BLOCK = 2 * MIB
LOW = 24 * MIB  # of a walk: what reserve, kernel and firmware keep is less
STEP_S = (0.05, 0.1)  # between two targets of a walk
STOP_MS = 100
MALLOC_SLACK = 64 << 10
APP_DATA = 0xFFFFFFFFC0000000  # linker.ld


@pytest.fixture
def boot_test_image(boot, build):
    """As boot, with the apps of tests/apps."""
    return lambda case, **fields: boot(case, image=str(build / "aerostat-test.elf"), **fields)


def walk_while(guest, rng, is_over, timeout):
    """Change the target all the time until is_over() returns something; that, and the last target."""
    deadline, target = time.monotonic() + timeout, guest.memory
    while not (over := is_over()):
        assert time.monotonic() < deadline, "the app does not end"
        target = rng.randrange(LOW // PAGE, guest.memory // PAGE + 1) * PAGE
        guest.qmp.balloon(target)
        time.sleep(rng.uniform(*STEP_S))
    return over, target


def ends(guest, since):
    """is_over() for an app that was started at `since`."""
    return lambda: guest.events(since, event="app_exit")


def check_refusals(guest, since, end):
    """Each refusal is told, with numbers that explain it."""
    told = [e for e in guest.events(since, event="refused") if next(iter(e.words)) == "event"]
    assert bool(told) == (end.number("refused") > 0), end
    for event in told:
        no_block = event.get("app") == "frag" and event.number("blocks") < event.number("wanted") / BLOCK
        needed = event.number("wanted") * 9 // 8 + MALLOC_SLACK  # malloc rounds up by as much
        assert needed > event.number("available") or no_block, event
        assert event.number("free") + event.number("ballooned") + event.number("resident") <= guest.memory
    assert guest.events(since, event="workload_wrong") == []


@pytest.mark.parametrize("case, commands", APP_WALKS, ids=[case.name for case, _ in APP_WALKS])
def test_workloads_while_the_balloon_walks(boot, rng, case, commands):
    with boot(case) as guest:
        guest.mem()
        for command in commands:
            since, target = guest.guest.seen, None
            if case.balloon:
                guest.guest.send(f"run {command}")
                (end,), target = walk_while(guest, rng, ends(guest, since), 60)
                assert (end.get("by"), end.get("code")) == ("exit", "0"), end
                guest.go_to(target)
            else:
                end = guest.run(command)
            check_refusals(guest, since, end)
            assert end.number("events_dropped") == 0, end
            memory = guest.mem("mem check")
            assert (memory.number("app"), memory.number("promised")) == (0, 0), memory


def test_floating_point_survives_a_moving_balloon(boot_test_image, rng):
    with boot_test_image(APPS) as guest:
        guest.fill_and_free("50%")
        since = guest.guest.seen
        guest.guest.send("run fpu 3000")
        (end,), _ = walk_while(guest, rng, ends(guest, since), 30)
        done = guest.events(since, app="fpu", event="fpu_done")[0]
        assert (end.get("code"), done.number("failures")) == ("0", 0)
        assert done.number("rounds") > 10
        assert len(guest.events(since, balloon="virtio")) > 10, "the balloon did not move"


def test_what_malloc_freed_the_host_can_have(boot_test_image):
    """500 MiB and more in small pieces, freed; a tenth of RAM is left to an app that is still there."""
    with boot_test_image(APPS_FILLED) as guest:
        empty = guest.mem()
        full = guest.guest.ask("run mallocfill 80", 60, event="mallocfill_full")
        assert full.number("bytes") > max(500 * MIB, 0.79 * empty.number("free"))
        guest.guest.wait_for(lambda e: e.has(event="mallocfill_freed"), 60)
        freed = guest.events(event="mallocfill_freed")[0]
        assert freed.number("wrong") == 0
        assert freed.number("resident") + freed.number("promised") < 8 * MIB
        guest.go_to(APPS_FILLED.memory // 10)
        assert guest.guest.ram_file.allocated() < APPS_FILLED.memory // 10
        guest.check_holes()
        guest.mem()
        assert guest.events(event="app_exit") == []
        assert guest.guest.ask("<", event="app_exit").get("code") == "0"
        assert guest.mem("mem check").number("app") == 0


def test_mem_counts_the_app(boot_test_image):
    """A frame is the app's while it has it, and nobody else's."""
    with boot_test_image(APPS) as guest:
        assert guest.mem().number("app") == 0
        guest.guest.send("run mallocfill 50")
        most, deadline = 0, time.monotonic() + 20
        while not guest.events(event="mallocfill_freed"):
            memory = guest.mem()
            most = max(most, memory.number("app"))
            assert memory.number("volatile") == 0
            assert memory.number("promised") <= memory.number("free")
            assert time.monotonic() < deadline
        assert most > 100 * MIB
        assert 0 < guest.mem().number("app") < 8 * MIB
        guest.guest.ask("<", event="app_exit")
        assert guest.mem().number("app") == 0


def test_compaction_gives_blocks_back(boot):
    """90 % full, half of it freed at random: nine tenths of what is free are whole blocks afterwards."""
    with boot(APPS) as guest:
        end = guest.run("frag --percent=90", 60)
        done = guest.events(app="frag", event="frag_done")[0]
        assert done.number("ok") == 1, "the app's data is not what it was"
        assert done.number("share_before") < 5000 < 9000 <= done.number("share_after")
        assert done.number("blocks_after") > 10 * done.number("blocks_before") // 2
        assert end.number("moved") > 1000


def test_joins_under_a_running_app(boot_test_image):
    with boot_test_image(BALLOON) as guest:
        assert guest.run("memory joins", 40).number("joins") > 0


def intervals(guest, count):
    """The next so many of the cache, whole ones: the one that is under way does not count."""
    since, deadline = guest.guest.seen, time.monotonic() + 60
    while len(found := guest.events(since, event="cache_interval")) <= count:
        assert time.monotonic() < deadline, f"{len(found)} intervals in a minute"
        time.sleep(0.05)
    return found[1:count + 1]


def shares(events):
    return [event.number("hit_share") for event in events]


def test_cache_loses_hits_and_nothing_else(boot):
    """While the target falls; and gets them back when it rises again."""
    with boot(APPS) as guest:
        since = guest.guest.seen
        guest.guest.send("run cache --objects=2500 --seconds=600s --interval=200ms --theta=0.6")
        before = intervals(guest, 15)[-3:]
        for target in (200, 160, 120, 80, 64):
            guest.go_to(target * MIB)
            time.sleep(0.3)
        during = intervals(guest, 5)
        guest.go_to(APPS.memory)
        after = intervals(guest, 10)[-3:]
        assert guest.guest.ask("stop", event="app_exit").get("by") == "stop"
        every = guest.events(since, event="cache_interval")
        assert all(event.number("wrong") == 0 for event in every)
        assert any(event.number("lost") > 0 for event in every) and every[-1].number("purged") > 0
        assert max(shares(during)) < min(shares(before)), (shares(before), shares(during))
        assert max(shares(during)) < max(shares(after)), (shares(during), shares(after))


@pytest.mark.parametrize("command, event", [("ftq --quantum=1ms", "ftq_interval"),
                                            ("stream --size=10%", "stream_interval")],
                         ids=["ftq", "stream"])
def test_a_resize_is_recorded(boot, command, event):
    """The curve goes on, interval by interval, while memory goes and comes."""
    with boot(APPS) as guest:
        guest.fill_and_free("80%")
        since = guest.guest.seen
        guest.guest.send(f"run {command} --seconds=2s --interval=50ms")
        guest.guest.wait_for(lambda e: e.has(event=event), 10, since)
        for _ in range(3):
            guest.go_to(64 * MIB)
            guest.go_to(APPS.memory)
        resized = guest.events(since)[-1].t
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 20, since)
        assert end.get("code") == "0"
        intervals = [e for e in guest.events(since, event=event) if e.t <= resized]
        assert len(intervals) >= 2
        moves = guest.events(since, balloon="virtio")
        assert any(e.t > intervals[0].t and e.t < intervals[-1].t for e in moves), "not while it moved"


@pytest.mark.parametrize("command", ["crash spin", "crash spin-sse", "crash write-long", "libc stdin",
                                     "leak --hold=60s"])
def test_stop_ends_what_never_ends(boot_test_image, command):
    """Commands are answered while it spins, waits or sleeps; and it ends at once."""
    with boot_test_image(BALLOON) as guest:
        guest.mem()
        took = []
        for _ in range(3):
            guest.guest.ask(f"run {command}", event="app_start")
            guest.go_to(96 * MIB)
            error = guest.guest.ask("run hello", event="error")
            assert (error.get("command"), "runs already" in error.get("reason")) == ("run", True)
            time.sleep(0.2)
            before = guest.mem()
            end = guest.guest.ask("stop", event="app_exit")
            assert end.get("by") == "stop" and end.number("cpu_ns") > 0
            took.append((end.t - before.t) / 1e6)
            guest.go_to(BALLOON.memory)
        assert sorted(took)[1] < STOP_MS, took
        assert guest.guest.ask("stop", event="error").get("command") == "stop"
        guest.run("hello")
        assert guest.mem("mem check").number("app") == 0


def test_a_line_wakes_nobody_who_sleeps(boot_test_image):
    with boot_test_image(BALLOON) as guest:
        guest.guest.ask("run crash oversleep", event="app_start")
        time.sleep(0.7)
        since = guest.guest.seen
        guest.guest.send("<a line")
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 10, since, "app_exit")
        assert (end.get("by"), end.number("code")) == ("exit", 0), end


def test_a_swinging_level_is_told_ten_times_a_second(boot_test_image):
    with boot_test_image(BALLOON) as guest:
        since = guest.guest.seen
        end = guest.run("crash swing")
        assert 2 <= len(guest.events(since, event="pressure")) <= end.number("wall_ns") / 100e6 + 3


def test_the_balloon_lives_on_after_crashes(boot_test_image):
    with boot_test_image(BALLOON) as guest:
        for kind, by in (("null", "fault"), ("stack-overflow", "fault"), ("full-stack", "fault"),
                         ("assert", "abort"), ("sparse-oom", "no-memory")):
            end = guest.guest.ask(f"run crash {kind}", event="app_exit")
            assert end.get("by") == by
            guest.go_to(64 * MIB)
            guest.check_size()
            guest.go_to(BALLOON.memory)
        assert guest.mem("mem check").number("app") == 0


TRACE = ("# by hand", "a 1 64K", "a 2 1M", "t 1", "r 1 200K", "t 1", "f 2", "a 2 100", "f 1", "w 1000", "end")


def test_a_trace_comes_through_the_console(boot):
    with boot(BALLOON) as guest:
        for lines, code in ((TRACE, 0), ((*TRACE[:5], "f 99", "end"), 2)):
            since = guest.guest.seen
            guest.guest.ask("run trace --stdin", event="app_start")
            for line in lines:
                guest.guest.send("<" + line)
            end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 10, since)
            assert (end.get("by"), end.number("code")) == ("exit", code), end
            if code == 0:
                done, = guest.events(since, event="trace_done")
                assert (done.number("ops"), done.number("live"), done.number("refused")) == (9, 100, 0), done
                assert (1 << 20) + (200 << 10) <= done.number("peak") < 2 << 20, done


def test_lines_reach_stdin(boot_test_image):
    with boot_test_image(BALLOON) as guest:
        assert guest.guest.ask("<nobody", event="error").get("command") == "input"
        guest.guest.ask("run libc stdin", event="app_start")
        for line in ("<  a line, with = and \"quotes\"", "<x", "<-22 0x10 word", "<", "mem", "<\x04"):
            guest.guest.send(line)
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 10)
        assert end.get("code") == "0"
        assert len(guest.events(event="mem")) == 1  # a command among them is one
        since = guest.guest.seen
        guest.guest.ask("run crash spin", event="app_start")
        for _ in range(40):
            guest.guest.send("<" + "x" * 200)  # more than it will ever read
        assert guest.guest.wait_for(lambda e: e.has(event="error"), 10, since).get("command") == "input"
        guest.guest.ask("stop", event="app_exit")


def test_an_app_from_the_settings(boot):
    case = Case("app", config='app="hello --points=1000 --seed=7" run="mem"')
    with boot(case) as guest:
        end = guest.guest.wait_for(lambda e: e.has(event="app_exit"), 10)
        assert (end.get("app"), end.get("by"), end.get("code")) == ("hello", "exit", "0")
        assert guest.events(app="hello", event="hello")[0].number("points") == 1000
        assert len(guest.events(event="mem")) == 1
    with boot(Case("app", config="app=nobody")) as guest:
        error = guest.guest.wait_for(lambda e: e.has(event="error"), 5)
        assert error.get("command") == "run" and "nobody" in error.get("reason")


FIGURES = ("free", "blocks", "app", "promised", "volatile", "target", "ballooned", "level", "avg10",
           "stall_ns", "faults", "purged", "moved", "refused", "dropped")


def test_samples_come_at_their_time(boot):
    with boot(Case("sample", memory=128 * MIB, config="sample=100ms")) as guest:
        guest.go_to(64 * MIB)
        guest.run("touch --size=50% --seconds=2500ms")
        samples = guest.events(event="sample")
        times = [event.t for event in samples]
        assert abs((len(times) - 1) * 1e8 / (times[-1] - times[0]) - 1) < 0.1, times
        for event in samples:
            assert all(event.number(figure) is not None for figure in FIGURES), event
            assert event.number("free") + event.number("app") + event.number("ballooned") < guest.memory
        last = samples[-1]
        assert last.number("ballooned") == 64 * MIB == last.number("target")
        assert any(s.number("app") > 16 * MIB and s.number("faults") > 0 for s in samples)


def kernel_share(guest, seconds=0.5):
    """Part of the time of an app that computes which the kernel had."""
    guest.guest.ask("run crash spin", event="app_start")
    time.sleep(seconds)
    end = guest.guest.ask("stop", event="app_exit")
    return 1 - end.number("cpu_ns") / end.number("wall_ns")


def sampling_cost(boot_test_image):
    """Of the CPU at 10 Hz. Seen from the host, by the CPU time of QEMU (going to sleep and waking up
    included), and in the guest, by what an app loses (what others on this machine take included). Either is
    more than it costs, so the smaller one counts, and the least of some windows. Sampled ten times as often,
    to stand out."""
    outside, inside = {}, {}
    for sample in ("off", "10ms"):
        with boot_test_image(Case("cost", config=f"sample={sample}")) as guest:
            inside[sample] = min(kernel_share(guest) for _ in range(5))
            guest.guest.ask("run leak --hold=60s", event="leak_done")  # long numbers, and idle
            outside[sample] = min(guest.cpu_share(seconds=1, windows=1) for _ in range(3))
    cost = [(share["10ms"] - share["off"]) / 10 for share in (outside, inside)]
    print(f"sampling at 10 Hz: {cost[0]:.2%} of the CPU seen from outside, {cost[1]:.2%} inside")
    return min(cost)


def test_sampling_costs_little(boot_test_image):
    """On a machine with other work each measurement may be too large, none is too small."""
    assert any(sampling_cost(boot_test_image) < 0.01 for _ in range(3))


def test_malloc_takes_back_from_the_balloon(boot):
    """DEFLATE_ON_OOM: what is more than free comes out of the balloon, and nothing is refused."""
    with boot(APPS_OOM) as guest:
        guest.go_to(48 * MIB)
        end = guest.run("churn --live=72M --sizes=log:64-256K --seconds=2s", 60)
        assert end.number("refused") == 0 and end.number("peak") > 72 * MIB
        assert guest.events(balloon="virtio", event="oom_deflate") != []
        guest.check_size()
        guest.check_holes()


def test_without_deflate_on_oom_malloc_is_refused(boot):
    with boot(BALLOON) as guest:
        guest.go_to(48 * MIB)
        since = guest.guest.seen
        end = guest.run("leak --hold=0s", 60)
        assert end.number("refused") > 0
        check_refusals(guest, since, end)
        assert guest.check_size() == 48 * MIB


OUTSIDER = """
#include "own.h"
#include <guest.h>
#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("%s says %.3f\\n", argv[0], sqrt(OWN));
    guest_event("event=hello points=%d", argc + 40);
    return OWN;
}
"""


def make(build, out, app):
    """Make an image in a folder of its own, as the session's build was made: what is there need not be made
    again."""
    for folder in ("guest", "apps", "gen"):
        if (build / folder).is_dir():
            subprocess.run(["cp", "-a", build / folder, out / folder], check=True)
    for stamp in build.glob("*.stamp"):
        shutil.copy2(stamp, out / stamp.name)
    flags = (build / "flags.stamp").read_text().split()
    return subprocess.run(["make", "-C", ROOT, "SETUP=0", f"O={out}", f"CC={flags[0]}",
                           f"W={int('-Werror' in flags)}", f"APP={app}", out / "aerostat.elf"],
                          capture_output=True, text=True)


def test_an_app_from_outside_the_tree(boot, build, tmp_path):
    app, out = tmp_path / "my_own-app2", tmp_path / "out"
    app.mkdir()
    out.mkdir()
    (app / "own.h").write_text("#define OWN 9\n")
    (app / "main.c").write_text(OUTSIDER)
    made = make(build, out, app)
    assert made.returncode == 0, made.stdout + made.stderr
    with boot(Case("outside"), image=str(out / "aerostat.elf")) as guest:
        guest.run("my_own-app2 x", code=9)
        assert guest.events(app="my_own-app2", event="hello")[0].number("points") == 42
        guest.run("hello")


@pytest.mark.parametrize("name, text, says", [
    ("hello", "int main(void);", "there is an app called \"hello\" already"),
    ("Upper", "int main(void);", "is no name for an app"),
    ("empty", None, "no C files"),
], ids=["taken", "name", "empty"])
def test_an_app_that_cannot_be(build, tmp_path, name, text, says):
    (tmp_path / name).mkdir()
    if text:
        (tmp_path / name / "main.c").write_text(text)
    made = subprocess.run(["make", "-C", ROOT, "SETUP=0", f"O={tmp_path}/out", f"APP={tmp_path}/{name}"],
                          capture_output=True, text=True)
    assert made.returncode != 0 and re.search(re.escape(says), made.stderr), made.stderr


def test_an_app_that_does_not_run_costs_read_only_pages(build):
    """Static data of apps is in the image as a read-only template, and what they find zeroed not at all."""
    text = subprocess.run(["readelf", "-lW", build / "aerostat.elf"], check=True, capture_output=True,
                          text=True).stdout
    rows = re.findall(r"^  LOAD +0x\w+ 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (...) ", text, re.M)
    at_apps = [row for row in rows if int(row[0], 16) >= APP_DATA]
    assert len(rows) > 3 and len(at_apps) == 1, text
    _, in_file, in_memory, rights = at_apps[0]
    assert (in_file, rights.strip()) == (in_memory, "R") and int(in_memory, 16) > 0
