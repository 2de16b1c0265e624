# SPDX-License-Identifier: BSD-2-Clause
"""`aerostat doctor`: what this host can do, and the one decision about KVM.

/dev/kvm alone proves nothing (it may hang): KVM is used only when the CPU shows vmx or svm and our
own PVH image prints its first event within a second in a KVM guest; for EFI, OVMF must also reach
our loader within 15 s. The verdict holds until the next boot of the host and is kept in the build
folder.
"""

import json
import os
import pathlib
import shutil
import subprocess

from .errors import EXIT_FAIL, EXIT_PASS, MIB, ToolError
from .qemu import OVMF, Guest, GuestSpec

PROBE_SECONDS = {"pvh": 1.0, "efi": 15.0}
IMAGES = {"pvh": "aerostat.elf", "efi": "aerostat.img"}
PROGRAMS = ("qemu-system-x86_64", "nasm", "gcc", "clang", "mkfs.vfat", "mcopy", "sgdisk")
MODULES = ("matplotlib", "pytest")
THP = "/sys/kernel/mm/transparent_hugepage"


def add_arguments(parser):
    parser.add_argument("--build", default="build", metavar="DIR",
                        help="build folder (default build/)")
    parser.add_argument("--qemu", default="qemu-system-x86_64", metavar="FILE",
                        help="the QEMU to ask")


def main(args):
    kvm = {boot: kvm_verdict(boot, args.build, args.qemu) for boot in ("pvh", "efi")}
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # sgdisk, mkfs.vfat
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    missing += [name for name in MODULES if not _has_module(name)]
    missing += [] if (OVMF / "OVMF_CODE_4M.fd").is_file() else ["ovmf"]
    rows = [("KVM for pvh", kvm["pvh"][1]), ("KVM for efi", kvm["efi"][1]),
            ("QEMU", _version(args.qemu)),
            ("THP", _read(f"{THP}/enabled")),
            ("THP of shared memory", _read(f"{THP}/shmem_enabled")),
            ("hugetlb pages", _hugetlb()), ("overcommit", _read("/proc/sys/vm/overcommit_memory")),
            ("/dev/shm free", _free_space("/dev/shm")),
            ("missing", ", ".join(missing) + " (run `make setup`)" if missing else "nothing")]
    for name, value in rows:
        print(f"{name:<22} {value}")
    return EXIT_FAIL if missing else EXIT_PASS


def choose_accel(boot, build, qemu):
    return "kvm" if kvm_verdict(boot, build, qemu)[0] else "tcg"


def kvm_verdict(boot, build, qemu):
    """(usable, why), from the build folder's cache when this boot has been asked before."""
    flags = _cpu_flags()
    if not flags & {"vmx", "svm"}:
        return False, "no: the CPU shows neither vmx nor svm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "no: /dev/kvm cannot be opened"
    cache = pathlib.Path(build) / "kvm-verdict.json"
    boot_id = _read("/proc/sys/kernel/random/boot_id")
    verdicts = _cached(cache, boot_id)
    if boot not in verdicts:
        verdicts[boot] = _probe(boot, build, qemu)
        if verdicts[boot] is None:
            return False, f"no: there is no {IMAGES[boot]} to try it with (run `make`)"
        try:
            kept = {"boot_id": boot_id, "verdicts": verdicts}
            cache.write_text(json.dumps(kept), encoding="utf-8")
        except OSError:
            pass  # asked again next time
    return tuple(verdicts[boot])


def _probe(boot, build, qemu):
    """Start our image under KVM and wait for its first event. None: no image."""
    if boot == "efi":
        usable, why = kvm_verdict("pvh", build, qemu)
        if not usable:
            return [False, why]
    image = pathlib.Path(build) / IMAGES[boot]
    if not image.is_file():
        return None
    seconds = PROBE_SECONDS[boot]
    spec = GuestSpec(image=str(image), boot=boot, qemu=qemu, accel="kvm", memory=256 * MIB)
    try:
        with Guest(spec) as guest:
            guest.wait_for(lambda event: True, seconds)
    except ToolError as error:
        return [False, f"no: {error}"]
    return [True, f"yes: our {boot} image spoke within {seconds:g} s"]


def _cached(path, boot_id):
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return dict(kept["verdicts"]) if kept["boot_id"] == boot_id else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _cpu_flags():
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def _has_module(name):
    done = subprocess.run(["/usr/bin/python3", "-c", f"import {name}"], capture_output=True,
                          check=False)
    return done.returncode == 0


def _version(qemu):
    try:
        done = subprocess.run([qemu, "--version"], capture_output=True, text=True, timeout=10,
                              check=False)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return f"{qemu} does not run"


def _hugetlb():
    folder = pathlib.Path("/sys/kernel/mm/hugepages")
    sizes = sorted(folder.glob("hugepages-*")) if folder.is_dir() else []
    return ", ".join(f"{_read(size / 'free_hugepages')} free of {_read(size / 'nr_hugepages')} x "
                     f"{int(size.name[10:-2]) // 1024} MiB" for size in sizes) or "none"


def _free_space(path):
    try:
        return f"{shutil.disk_usage(path).free // MIB} MiB"
    except OSError as error:
        return error.strerror


def _read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "unknown"
