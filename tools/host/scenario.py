# SPDX-License-Identifier: BSD-2-Clause
"""What a run does with its guest, step by step, and what each step measures.

Two clocks are told apart in every step that moves the balloon: t_actual, until the driver
reported exactly the target; t_rss, until the host had its memory back (RSS within 1 % of the
fall of where it came to rest). QEMU limits BALLOON_CHANGE to one a second: query-balloon is polled.
"""

import dataclasses
import time

from .errors import GIB, MIB, ToolError
from .host_memory import PAGE, available, rss
from .live import Live
from .rundir import RunDir

POLL = 0.02  # seconds between two looks at `actual`
SAMPLE = 0.05  # and between two at the host's memory
ASK = 0.1  # and between two `mem` commands
PAUSE = 0.7  # after a command, so that its effect is seen in the picture
STALL = 20.0  # a balloon that does not move for so long has failed
SETTLE, SETTLE_MAX = 0.8, 4.0  # RSS is at rest when it has not fallen for so long; give up after
BAD_EVENTS = ("error", "broken", "oom_deflate", "shortfall", "panic")
BOOT_TIMEOUT = {"pvh": 30.0, "efi": 120.0}


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    target: float = 0.0  # part of the memory the guest shall have
    command: str = ""  # or: a guest command, answered by ...
    answer: str = ""  # ... this event
    seconds: float = 0.0  # or: wait so long


DEFAULT = (
    Step("fill", command="fill {fill}", answer="fill"),
    Step("free", command="free", answer="free"),
    Step("shrink", target=0.25),
    Step("hold", seconds=3.0),
    Step("grow", target=1.0),
    Step("fill again", command="fill {fill}", answer="fill"),
    Step("free again", command="free", answer="free"),
    Step("step-75", target=0.75),
    Step("step-50", target=0.50),
    Step("step-60", target=0.60),
    Step("step-100", target=1.0),
)


@dataclasses.dataclass
class Phase:
    """The measured step. Times in seconds since QEMU's start or, t_*, since the step's start."""

    name: str
    start_s: float
    end_s: float = 0.0
    moved_bytes: int = 0
    t_actual: float | None = None
    t_rss: float | None = None
    errors: int = 0

    @property
    def rate(self):
        """Bytes a second up to t_actual."""
        return self.moved_bytes / self.t_actual if self.t_actual else None


class Runner:
    """Drives one guest through steps and records; owned by one thread."""

    def __init__(self, guest, rundir: RunDir, live: Live, boot_timeout=None):
        self.guest, self.rundir, self.live = guest, rundir, live
        self.boot_timeout = boot_timeout or BOOT_TIMEOUT[guest.spec.boot]
        self.memory = guest.spec.memory
        self.phases = []
        self.boot_event = None
        self.state = {"memory": self.memory, "phase": "boot", "target": self.memory,
                      "actual": self.memory, "rss": 0, "rate": 0, "t_s": 0.0}
        self._phase = self._guest_free = None
        self._seen = 0
        self._next = {"poll": 0.0, "sample": 0.0, "ask": 0.0}
        self._history = []  # (time, rss) of the running step
        self._is_up = False

    def run(self, steps):
        self._boot()
        for step in steps:
            self._begin(step.name)
            if step.command:
                self._command(step)
                self._until(lambda: False, PAUSE)
            elif step.target:
                self._move(step)
            else:
                self._until(lambda: False, step.seconds)
            self._end()

    def now(self):
        return time.monotonic() - self.guest.started_at

    def _boot(self):
        """Wait for the driver; from `ready` on without one, say so at once."""
        self._begin("boot")
        seen = {}

        def is_up():
            for event in self._fresh:
                kind = event.get("event")
                if kind in ("boot", "ready") or (kind == "attached" and event.get("balloon")):
                    seen[kind] = event
            return "ready" in seen

        if not self._until(is_up, self.boot_timeout):
            last = self.guest.last_line[:120]
            raise ToolError(f"no guest: it is not ready after {self.boot_timeout:g} s"
                            + (f" (last line: {last})" if last else " and said nothing"))
        if "attached" not in seen:
            raise ToolError("the guest is up but has not attached a balloon (see serial.log)")
        self.boot_event, self._is_up = seen.get("boot"), True
        self._phase.t_actual = self.now()
        self._end()

    def _command(self, step):
        answer, command = [], step.command.format(fill=fill_size(self.memory))
        self.guest.send(command)
        done = self._until(
            lambda: answer.extend(e for e in self._fresh if e.has(event=step.answer)) or answer,
            60 + 60 * self.memory / GIB)
        if not done:
            raise ToolError(f"{step.name}: the guest does not answer `{command}`")
        self._phase.moved_bytes = answer[0].number("bytes", 0)
        self._phase.t_actual = self.now() - self._phase.start_s

    def _move(self, step):
        target = int(self.memory * step.target) // PAGE * PAGE
        self._sample()
        began, size = self.state["actual"], self.state["actual"]
        self.state["target"] = target
        start, moved_at = time.monotonic(), time.monotonic()
        self.guest.qmp.balloon(target)
        while self.state["actual"] != target:
            self._tick()
            now = time.monotonic()
            if self.state["actual"] != size:
                size, moved_at = self.state["actual"], now
                self.state["rate"] = abs(size - began) / (now - start)
            elif now - moved_at > STALL:
                raise ToolError(
                    f"{step.name}: the balloon stands still {abs(size - target) / MIB:.1f} MiB "
                    f"from its target since {STALL:g} s")
        self._phase.t_actual = time.monotonic() - start
        self._phase.moved_bytes = abs(target - began)
        self._settle()
        self._phase.t_rss = _time_of_fall(self._history, start)

    def _settle(self):
        """Go on until the host's memory is at rest."""
        low, low_at = self.state["rss"], time.monotonic()
        end = low_at + SETTLE_MAX
        while time.monotonic() < min(end, low_at + SETTLE):
            self._tick()
            if self.state["rss"] < low - MIB:
                low, low_at = self.state["rss"], time.monotonic()

    def _begin(self, name):
        self._phase = Phase(name, self.now())
        self._history, self._fresh = [], []
        self.state.update(phase=name, rate=0)
        self.phases.append(self._phase)
        self.rundir.event(self.now(), "tool", event="phase_start", phase=name)

    def _end(self):
        self._phase.end_s = self.state["t_s"] = self.now()
        self._sample()
        self.live.update(self.state, force=True)
        self.rundir.event(self.now(), "tool", event="phase_end", phase=self._phase.name)

    def _until(self, condition, timeout):
        """Tick until `condition` holds (true) or the time is over (false)."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= end:
                return False
            self._tick()
        return True

    def _tick(self):
        """One look at everything that is due, then a short sleep."""
        self.guest.check_alive()
        if self._is_due("poll", POLL):
            self.state["actual"] = self.guest.qmp.query_balloon()
        if self._is_due("sample", SAMPLE):
            self._sample()
        if self._is_up and self._is_due("ask", ASK):
            self.guest.send("mem")
        self._take_events()
        self.state["t_s"] = self.now()
        self.live.update(self.state)
        time.sleep(POLL / 2)

    def _is_due(self, what, interval):
        now = time.monotonic()
        if now < self._next[what]:
            return False
        self._next[what] = now + interval
        return True

    def _sample(self):
        guest, now = self.guest, time.monotonic()
        try:
            resident, huge = rss(guest.pid)
        except ToolError as problem:  # it ended between check_alive() and here
            raise guest.cause_of(problem) from None
        self.state["rss"] = resident
        self._history.append((now, resident))
        self.rundir.sample({
            "t_s": now - guest.started_at, "phase": self._phase.name,
            "target_bytes": self.state["target"], "actual_bytes": self.state["actual"],
            "rss_bytes": resident, "huge_bytes": huge,
            "file_bytes": guest.ram_file.allocated() if guest.ram_file else None,
            "guest_free_bytes": self._guest_free})

    def _take_events(self):
        self._fresh, self._seen = self.guest.events_since(self._seen)
        for event in self._fresh:
            self.rundir.event(event.host - self.guest.started_at, "guest", t=event.t, **event.words)
            if event.get("event") in BAD_EVENTS:
                self._phase.errors += 1
            if event.has(event="mem"):
                self._guest_free = event.number("free", self._guest_free)
        while self.guest.qmp.events:
            at, answer = self.guest.qmp.events.popleft()
            self.rundir.event(at - self.guest.started_at, "qmp", event=answer["event"],
                              data=answer.get("data"))


def fill_size(memory):
    """What `fill` is asked for: 80 % of the guest, but never what would empty the host."""
    return f"{min(memory * 8 // 10, available() * 6 // 10) // MIB}M"


def _time_of_fall(history, start):
    """When RSS came within 1 % (at least 1 MiB) of where it came to rest; None: it did not fall."""
    before, after = history[0][1], min(size for _, size in history[-3:])
    fall = before - after
    if fall < 4 * MIB:
        return None
    limit = after + max(MIB, fall // 100)
    above = [index for index, (_, size) in enumerate(history) if size > limit]
    return history[min(above[-1] + 1, len(history) - 1)][0] - start
