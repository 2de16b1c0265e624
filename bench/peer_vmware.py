# SPDX-License-Identifier: BSD-2-Clause
"""Compares our VMware balloon with Linux's vmw_balloon under the monitor that plays VMware to both
(tests/vmhost/): same QEMU, same devices, same words for the monitor at each level of the protocol.

The clock is the monitor's. It changes the target at a moment of its own, not when it is asked, and a guest
without a doorbell learns of it at its next poll. So that the moment is fair to polls 100 ms and 1 s apart, it
comes at the same share of each guest's interval, and the shares of a run are spread evenly.

*met* is from there until less than a block is missing or too much; *moving* the part behind the poll that told
the target, and *CPU* what QEMU used in it. A floor is what the monitor's exits alone take for that many calls.
Calls are counted in runs of their own, of a larger move.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
import time
import typing

import guests
import linux_peer
import output
import pairs
import summary
import tree  # noqa: F401, before vmhost
import vmhost

MIB, GIB = guests.MIB, 1024 * guests.MIB
PAGE = summary.PAGE
BLOCK = 512  # frames
SLACK = BLOCK - 1  # less than a block off is met
MEMORY, MOVE = 512 * MIB, 256 * MIB
COUNT_MEMORY, COUNT_MOVE = GIB, 768 * MIB  # the monitor has no more RAM
LOOK_S = 0.0005
REST_S = 2  # what is still missing when a target is met comes with the next poll
MOVE_LIMIT_S = 120

INFLATE, DEFLATE = "inflate", "deflate"
FIGURES = ("met", "moving", "CPU")
OURS, CLASSIC, LINUX = "aerostat", "aerostat, classic", "linux"


class Level(typing.NamedTuple):
    """What the monitor grants, and how many frames one call can move at most."""

    caps: int
    frames_per_call: int
    names: tuple = (OURS, LINUX)
    rings: bool = False


LEVELS = {"batched-2m": Level(vmhost.LEVELS["wide"], BLOCK * BLOCK),
          "doorbell": Level(vmhost.LEVELS["doorbell"], BLOCK * BLOCK, rings=True),
          "batched": Level(vmhost.LEVELS["batch"], BLOCK),
          "basic": Level(vmhost.LEVELS["basic"], 1, (OURS, CLASSIC, LINUX))}
POLL_MS = {OURS: 100, CLASSIC: 1000, LINUX: 1000}


def add_options(parser):
    parser.add_argument("--vmware", action="store_true",
                        help="the VMware balloons instead, 256 MiB of 512; --high, --low, --fill, --backing and "
                             "--reporting are not for them")
    parser.add_argument("--level", nargs="+", choices=LEVELS, default=list(LEVELS),
                        help="with --vmware: what the host offers (all)")


class Player(vmhost.Run):
    """A guest under the monitor that takes its turns."""

    def __init__(self, name, options, level, memory, folder):
        config, image, initrd = options.append, options.image, None
        if name == LINUX:
            kernel, initrd = linux_peer.prepare(options.cache, linux_peer.VMWARE)
            image = linux_peer.unpacked_kernel(kernel, options.cache)
            config = f"{linux_peer.command_line(options.init_on_alloc)} hpet=disable"
        elif name == CLASSIC:
            config += " vmware.policy=classic"
        words = [f"caps={level.caps:#x}", f"met={SLACK}", "scribble=0"]
        super().__init__(pathlib.Path(options.image).parent, image, folder, words, config, initrd,
                         memory=memory, kind=guests.Measured)
        self.name, self._poll_ms = name, None if level.rings else POLL_MS[name]
        self.wait_ready, self.pause, self.resume = self.guest.wait_ready, self.guest.pause, self.guest.resume

    def turn(self, share):
        """{move: {figure: seconds}} of a target that changes at that share of the time between two polls."""
        return {INFLATE: self.move(MOVE // PAGE, share), DEFLATE: self.move(0, share)}

    def move(self, frames, share):
        before = self.now()
        with open(f"{self.folder}/monitor.log", encoding="ascii") as log:
            log.seek(0, os.SEEK_END)
            self.say(f"later={share * self._poll_ms:.0f},{frames}" if self._poll_ms else f"target={frames}")
            cpu = self._cpu_of_move(log)
        told, met = (self.wait(what, after=before, frames=frames) for what in ("target", "met"))
        return {**times(told, met), "CPU": cpu}

    def _cpu_of_move(self, log):
        """From the last look before the guest was told its target to the first behind the one that met it."""
        deadline, said, start = time.monotonic() + MOVE_LIMIT_S, "", self.guest.cpu_now()
        while "vmhost=met" not in said:
            self.guest.check_alive()
            if time.monotonic() > deadline:
                raise guests.ToolError(f"{self.name}: no target met in {MOVE_LIMIT_S} s: {self.lines()[-1]}")
            now = self.guest.cpu_now()
            said += log.read()
            start = now if "vmhost=target" not in said else start
            time.sleep(LOOK_S)
        return self.guest.cpu_now() - start

    def calls(self, frames):
        """How many calls the move there takes, beside polls, for each GiB."""
        before = self._books()
        self.move(frames, 0.5)
        time.sleep(REST_S)
        return calls_per_gib(before, self._books())

    def _books(self):
        audit = self.audit()
        if audit.number("violations"):
            raise guests.ToolError(f"{self.name} broke a rule: {self.said('violation')[0]}")
        return audit, self.said("calls")[-1]


def times(told, met):
    """Figures of the monitor's two lines: the target as the guest was told it, and that it is met."""
    return {"met": (met.t - told.number("since")) / 1e9, "moving": (met.t - told.t) / 1e9}


def calls_per_gib(before, after):
    """From two accounts, each a pair of lines, with a move between them."""
    def of(key, which=0):
        return after[which].number(key) - before[which].number(key)

    moved = (of("locks") + of("unlocks")) * PAGE
    return (of("calls") - of("get_target", 1)) / (moved / GIB)


def share_of(turn, count):
    """The share of its polling interval at which a guest's target changes in that turn; turn 0 warms up."""
    return (turn - 0.5) % count / count


@contextlib.contextmanager
def players(options, level, memory, names):
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Player(name, options, level, memory, stack.enter_context(
            tempfile.TemporaryDirectory(prefix="aerostat-")))) for name in names}


def compare(options, title):
    """What run_pairs() gives for that level."""
    level, build = LEVELS[title], pathlib.Path(options.image).parent
    with players(options, level, MEMORY, level.names) as rivals, tempfile.TemporaryDirectory() as folder:
        turns = dict.fromkeys(rivals.values(), 0)

        def turn(player):
            turns[player] += 1
            return player.turn(share_of(turns[player] - 1, options.pairs))

        for player in rivals.values():
            player.wait_ready()
        return pairs.run_pairs(rivals, options.pairs, turn, lambda: vmhost.floor(build, folder),
                               lambda *what: progress(title, *what))


def count_calls(options, title):
    """{move: {name: calls per GiB}}"""
    counts, level = {INFLATE: {}, DEFLATE: {}}, LEVELS[title]
    for name in level.names:
        with players(options, level, COUNT_MEMORY, [name]) as only:
            only[name].wait_ready()
            counts[INFLATE][name] = only[name].calls(COUNT_MOVE // PAGE)
            counts[DEFLATE][name] = only[name].calls(0)
    return counts


def floor_seconds(level, move, costs):
    """What the fewest calls for the move cost in exits alone, by nanoseconds a call."""
    kind = "get-target" if level.frames_per_call > 1 else {INFLATE: "lock", DEFLATE: "unlock"}[move]
    return -(-MOVE // PAGE // level.frames_per_call) * costs[kind] / 1e9


def summarise(title, samples, floors):
    """One dict for each of our guests, move and figure, beside Linux."""
    level, rows = LEVELS[title], []
    for name in (one for one in level.names if one != LINUX):
        for move in (INFLATE, DEFLATE):
            host = summary.figure_of([floor_seconds(level, move, costs) for costs in floors])
            for figure in FIGURES:
                ours, peer = (summary.figure_of([turn[move][figure] for turn in samples[one]])
                              for one in (name, LINUX))
                row_floor = host if figure == "moving" else None
                rows.append({"level": title, "guest": name, "move": move, "figure": figure, "ours": ours,
                             "peer": peer, "ratio": summary.ratio(peer, ours), "floor": row_floor,
                             "floor_ratio": summary.ratio(row_floor, ours)})
    return rows


def table(rows):
    lines = ["| level | ours | move | figure ms | ours (min–max) | linux (min–max) | **linux / ours** | exits alone "
             "| exits / ours |", "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row["level"], row["guest"], row["move"], row["figure"], summary.spread(row["ours"]),
                 summary.spread(row["peer"]), f"**{summary.number(row['ratio'])}**",
                 milliseconds(row["floor"]),
                 summary.number(row["floor_ratio"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def milliseconds(figure):
    """A floor, which may be that of a single call."""
    if figure is None:
        return "–"
    value = figure.median * 1e3
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def calls_table(counts):
    names = (OURS, CLASSIC, LINUX)
    lines = [f"| level | move | calls per GiB: {' | '.join(names)} |", "|---|---|---|---|---|"]
    for title, moves in counts.items():
        lines += [f"| {title} | {move} | {' | '.join(count(by.get(name)) for name in names)} |"
                  for move, by in moves.items()]
    return "\n".join(lines)


def count(calls):
    """Calls per GiB; None where that guest does not take part."""
    if calls is None:
        return "–"
    return f"{calls:,.0f}" if calls >= 10 else f"{calls:.2f}"


def costs_told(floors):
    """One sentence: what a call costs."""
    medians = {name: summary.figure_of([costs[name] for costs in floors]).median / 1e3 for name in floors[0]}
    return "a call costs " + ", ".join(f"{us:.1f} µs ({name})" for name, us in medians.items())


def progress(title, pair, name, moves):
    figures = "; ".join(f"{move} " + ", ".join(f"{what} {seconds * 1e3:.0f}" for what, seconds in one.items())
                        for move, one in moves.items())
    print(f"{title}, pair {pair}, {name}: ms: {figures}", file=sys.stderr, flush=True)


def run(options):
    rows, samples, floors, counts = [], {}, [], {}
    try:
        for title in options.level:
            samples[title], costs = compare(options, title)
            rows += summarise(title, samples[title], costs)
            floors += costs
        for title in options.level:
            counts[title] = count_calls(options, title)
    except (guests.ToolError, OSError) as error:
        return output.failed("peer", error)
    print(f"{table(rows)}\n\n{calls_table(counts)}\n")
    print(f"{MOVE // MIB} MiB of {MEMORY // MIB} (calls: {COUNT_MOVE // MIB} of {COUNT_MEMORY // MIB}), Linux with "
          f"init_on_alloc={options.init_on_alloc}; medians of {options.pairs} pairs; {costs_told(floors)}.")
    output.write_json(options, {"rows": rows, "floors": floors, "samples": samples, "calls": counts})
    return 0
