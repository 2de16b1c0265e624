# SPDX-License-Identifier: BSD-2-Clause
"""`aerostat run`: boot the image, move its memory, show it live, leave a run directory."""

import dataclasses
import pathlib
import sys

from . import doctor, plot
from .errors import EXIT_FAIL, EXIT_PASS, GIB, MIB, Interrupted, Skipped, ToolError, parse_size
from .live import Live
from .qemu import OVMF, Guest, GuestSpec, command, settings
from .rundir import RunDir, host_facts
from .scenario import DEFAULT, Runner

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = 1


def add_arguments(parser):
    parser.add_argument("--boot", choices=["efi", "pvh"], default="efi",
                        help="efi: the disk image in OVMF (default); pvh: the ELF by -kernel")
    parser.add_argument("--memory", default="1G", metavar="SIZE", help="guest RAM (default 1G)")
    parser.add_argument("--machine", default="q35", help="QEMU machine (default q35)")
    parser.add_argument("--accel", choices=["auto", "tcg", "kvm"], default="auto",
                        help="auto: KVM where it really works (see `aerostat doctor`), else TCG")
    parser.add_argument("--ram", choices=["private", "shared"], default="private",
                        help="private memory (default; THP) or a shared file in /dev/shm")
    parser.add_argument("--name", default="run", help="last part of the run directory's name")
    parser.add_argument("--out", default="runs", metavar="DIR",
                        help="where run directories go (default runs/)")
    parser.add_argument("--build", default="build", metavar="DIR",
                        help="build folder the image comes from (default build/)")
    parser.add_argument("--image", metavar="FILE", help="another image than the build folder's")
    parser.add_argument("--qemu", default="qemu-system-x86_64", metavar="FILE",
                        help="the QEMU to start")
    parser.add_argument("--boot-timeout", type=float, metavar="SECONDS",
                        help="how long to wait for the guest's driver (default 120, PVH 30)")
    parser.add_argument("--config", default="", metavar="WORDS",
                        help='settings for the guest, as "key=value key=value" (docs/options.md)')


def main(args):
    if "/" in args.name or args.name in ("", ".", ".."):
        raise ToolError(f"not a name for a run: {args.name!r}")
    settings(args.config)
    spec = _spec(args)
    rundir = RunDir(args.out, args.name)
    live = Live()
    try:
        error = _record(spec, args, rundir, live)
    finally:
        rundir.close()
    if error:
        print(f"aerostat: {error}", file=sys.stderr)
    return EXIT_FAIL if error else EXIT_PASS


def _spec(args):
    default = "aerostat.img" if args.boot == "efi" else "aerostat.elf"
    image = pathlib.Path(args.image or pathlib.Path(args.build) / default).resolve()
    if not image.is_file():
        raise ToolError(f"no guest: there is no image {image} (run `make` or `make image`)")
    accel = args.accel
    if accel == "auto":
        accel = doctor.choose_accel(args.boot, args.build, args.qemu)
    elif accel == "kvm":
        usable, why = doctor.kvm_verdict(args.boot, args.build, args.qemu)
        if not usable:
            raise Skipped(f"skipped, KVM was asked for: {why}")
    return GuestSpec(image=str(image), boot=args.boot, qemu=args.qemu, machine=args.machine,
                     accel=accel, memory=parse_size(args.memory), ram=args.ram,
                     config=args.config)


def _record(spec, args, rundir, live):
    """Run and write everything down. Returns the line that tells why it failed, or None."""
    meta = {"schema": SCHEMA, "arguments": vars(args), "guest": dataclasses.asdict(spec),
            "host": host_facts()}
    guest, runner, error = Guest(spec, rundir.serial), None, None
    result = "fail"
    try:
        variables = OVMF / "OVMF_VARS_4M.fd" if spec.boot == "efi" else None
        rundir.write_commands(*_commands(spec, args), variables)
        rundir.write_json("meta.json", meta)
        with guest:
            runner = Runner(guest, rundir, live, args.boot_timeout)
            try:
                runner.run(DEFAULT)
            except ToolError as problem:
                raise guest.cause_of(problem) from None
            meta["qemu"] = guest.qmp.version
            meta["boot_event"] = runner.boot_event and runner.boot_event.words
        result = "pass"
    except ToolError as problem:
        error = str(problem)
    except Interrupted:
        result, error = "interrupted", f"stopped; what was recorded is in {rundir.path}"
    finally:
        guest.stop()
        live.done()
    try:
        _finish(rundir, runner, meta, result, error)
    except ToolError as problem:
        error = error or str(problem)  # a full disk is told once
    return error


def _commands(spec, args):
    again = [str(ROOT / "tools" / "aerostat"), "run"]
    for key, value in (vars(args) | {"image": spec.image, "accel": spec.accel}).items():
        if value and key not in ("command", "out", "build"):
            again += [f"--{key.replace('_', '-')}", str(value)]
    qemu = command(spec, ".")
    start, end = qemu.index("-chardev"), qemu.index("-mon") + 2
    return again, qemu[:start] + ["-serial", "stdio"] + qemu[end:]


def _finish(rundir, runner, meta, result, error):
    phases = [dataclasses.asdict(phase) | {"rate": phase.rate}
              for phase in (runner.phases if runner else [])]
    rundir.write_json("meta.json", meta)
    rundir.write_json("summary.json", {
        "schema": SCHEMA, "result": result, "reason": error, "phases": phases})
    if not phases:
        return
    print(table(runner.phases))
    try:
        pictures = plot.draw(rundir.path)
    except plot.NoMatplotlib as problem:
        pictures = []
        print(f"aerostat: {problem}", file=sys.stderr)
    print(f"{result}: {rundir.path}" + (f" ({', '.join(pictures)})" if pictures else ""))


def table(phases):
    """The table a run ends with."""
    def cell(value, form):
        return format(value, form) if value is not None else "-"

    lines = [f"{'phase':<10} {'MiB moved':>10} {'t_actual s':>11} {'t_rss s':>9} {'GiB/s':>7}"
             f" {'errors':>7}"]
    for phase in phases:
        moved = phase.moved_bytes / MIB if phase.moved_bytes else None
        rate = phase.rate / GIB if phase.rate else None
        lines.append(f"{phase.name:<10} {cell(moved, '.1f'):>10}"
                     f" {cell(phase.t_actual, '.3f'):>11} {cell(phase.t_rss, '.3f'):>9}"
                     f" {cell(rate, '.2f'):>7} {phase.errors:>7}")
    return "\n".join(lines)
