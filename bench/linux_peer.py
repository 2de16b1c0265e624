# SPDX-License-Identifier: BSD-2-Clause
"""The Linux guest that the comparison runs against: Debian's kernel as a binary, and an initramfs
with busybox, a balloon driver of the same package with what it needs, and hold.c. Under the monitor that
plays VMware (tests/vmhost/) it is a control that the monitor understands the protocol.

Packages are fetched by apt-get into a cache folder and unpacked there with dpkg-deb; nothing is
installed on the host, and the host's own kernel is not touched. The guest obeys `fill` and `free`
on its serial port and answers as ours does (its `t` is always 0).
"""

import glob
import lzma
import os
import shutil
import subprocess

import cpio
from guests import ToolError

META_PACKAGE = "linux-image-amd64"
BUSYBOX_PACKAGE = "busybox-static"

# In the order in which they have to be loaded; one that the package lacks is built into its kernel. The
# last one is the balloon.
VIRTIO = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
          "virtio_pci", "virtio_mmio", "virtio_balloon")
VMWARE = ("vmw_vmci", "vmw_balloon")

XZ_MAGIC = b"\xfd7zXZ\0"
ELF_MAGIC = b"\x7fELF"

INIT = """#!/bin/sh
# Loads the balloon driver, then obeys commands: fill <MiB>M, free, vmmemctl, poweroff. `fill` is a program
# that takes memory, writes to each page and answers by itself; with its end all of them are free again.
# `vmmemctl` tells the size of the VMware balloon in frames.
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
for module in @MODULES@; do
    insmod /modules/$module.ko || echo "@ t=0 event=error command=insmod module=$module"
done
echo "@ t=0 event=ready"
while read -r verb size; do
    case $verb in
    fill) hold ${size%M} & ;;
    free) kill $!; wait $! 2>/dev/null
          echo "@ t=0 event=free" ;;
    vmmemctl) while read -r key rest; do
                  [ "$key" = current ] && echo "@ t=0 event=vmmemctl current=${rest##* }"
              done </sys/vmmemctl ;;
    poweroff) poweroff -f ;;
    *) echo "@ t=0 event=error command=$verb" ;;
    esac
done
"""

APPLETS = ("sh", "mount", "stty", "insmod", "echo", "kill", "poweroff")
HOLD_C = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold.c")


class PeerError(ToolError):
    """The Linux side cannot be prepared; the text says what to do."""


class NoPackage(PeerError):
    """apt cannot get it here: another system, no network, no lists. Anything else is a fault."""


def command_line(init_on_alloc):
    """The kernel's command line. Debian's kernel zeroes pages on allocation by default; the
    comparison turns that off so that only the balloon is compared."""
    return f"console=ttyS0 quiet loglevel=1 panic=-1 init_on_alloc={int(init_on_alloc)}"


def prepare(cache, modules=VIRTIO):
    """Returns (kernel path, initramfs path), fetching and building what the cache lacks."""
    os.makedirs(cache, exist_ok=True)
    package = _kernel_package()
    kernel_tree = _unpacked(cache, package, ["./boot", "./lib/modules"])
    busybox_tree = _unpacked(cache, BUSYBOX_PACKAGE, ["./bin"])
    kernel = _only(glob.glob(f"{kernel_tree}/boot/vmlinuz-*"), "a kernel", package)
    busybox = _only(glob.glob(f"{busybox_tree}/bin/busybox"), "busybox", BUSYBOX_PACKAGE)
    initramfs = os.path.join(cache, f"initramfs-{modules[-1]}")
    programs = {"busybox": _contents(busybox), "hold": _compiled(cache)}
    data = build_initramfs(programs, _modules(kernel_tree, modules))
    with open(initramfs, "wb") as out:
        out.write(data)
    return kernel, initramfs


def unpacked_kernel(kernel, cache):
    """The path of the ELF with a PVH entry inside a bzImage that is packed by xz, as Debian's is."""
    path = os.path.join(cache, os.path.basename(kernel).replace("vmlinuz", "vmlinux"))
    if not os.path.exists(path):
        data = _contents(kernel)
        start = data.find(XZ_MAGIC)
        elf = lzma.LZMADecompressor().decompress(data[start:]) if start >= 0 else b""
        if not elf.startswith(ELF_MAGIC):
            raise PeerError(f"{kernel} holds no kernel packed by xz")
        with open(path + ".partial", "wb") as out:
            out.write(elf)
        os.rename(path + ".partial", path)
    return path


def build_initramfs(programs, modules):
    """The archive: programs and modules (dicts of name to bytes), busybox's applets and /init."""
    archive = cpio.Archive()
    for folder in ("bin", "dev", "proc", "sys", "modules"):
        archive.folder(folder)
    archive.device("dev/console", 5, 1)
    for name, data in programs.items():
        archive.file(f"bin/{name}", data, executable=True)
    for applet in APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    for name, data in modules.items():
        archive.file(f"modules/{name}.ko", data)
    archive.file("init", INIT.replace("@MODULES@", " ".join(modules)).encode(), executable=True)
    return archive.bytes()


def parse_depends(text):
    """The kernel package that `apt-cache depends` names for the meta package, or None."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "Depends:" and words[1].startswith("linux-image-"):
            return words[1]
    return None


def _kernel_package():
    text = _run(["apt-cache", "depends", META_PACKAGE], "is this a Debian system?", error=NoPackage)
    package = parse_depends(text)
    if package is None:
        raise NoPackage(f"apt knows no kernel behind {META_PACKAGE}: run `apt-get update` "
                        "(the Linux peer is Debian's kernel; Ubuntu names it differently)")
    return package


def _unpacked(cache, package, members):
    """The folder with these members of the package; its existence says that it is complete."""
    tree = os.path.join(cache, package)
    if os.path.isdir(tree):
        return tree
    fetched = os.path.join(cache, "fetched")
    shutil.rmtree(fetched, ignore_errors=True)
    os.makedirs(fetched)
    _run(["apt-get", "-q", "download", package], "no network, or `apt-get update` is due?",
         folder=fetched, error=NoPackage)
    deb = _only(glob.glob(f"{fetched}/*.deb"), "a package", package)
    partial = tree + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "-x", "-C", partial, *members], stdin=unpack.stdout, check=False)
    unpack.stdout.close()
    unpack.wait()
    if tar.returncode != 0:
        raise PeerError(f"cannot unpack {deb}: is the disk full?")
    os.rename(partial, tree)
    shutil.rmtree(fetched)
    return tree


def _compiled(cache):
    """hold.c as a program without libraries."""
    program = os.path.join(cache, "hold")
    _run(["gcc", "-O2", "-static", "-o", program, HOLD_C], "are gcc and libc6-dev installed?")
    return _contents(program)


def _contents(path):
    with open(path, "rb") as source:
        return source.read()


def _modules(kernel_tree, names):
    found = {}
    for name in names:
        paths = glob.glob(f"{kernel_tree}/lib/modules/*/kernel/drivers/**/{name}.ko*", recursive=True)
        if paths:
            opener = lzma.open if paths[0].endswith(".xz") else open
            with opener(paths[0], "rb") as source:
                found[name] = source.read()
    if names[-1] not in found:
        raise PeerError(f"no {names[-1]} module below {kernel_tree}: remove that folder and "
                        "try again")
    return found


def _only(paths, what, package):
    if len(paths) != 1:
        raise PeerError(f"expected {what} from package {package}, found {len(paths)} files")
    return paths[0]


def _run(command, hint, folder=None, error=PeerError):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise error(f"{command[0]} failed ({problem}): {hint}") from problem
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise error(f"`{' '.join(command)}` failed: {last}; {hint}")
    return done.stdout
