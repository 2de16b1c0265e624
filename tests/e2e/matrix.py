# SPDX-License-Identifier: BSD-2-Clause
"""The matrix: every machine, transport, ring and feature that QEMU has, each with each other once.

FACTORS says what there is, is_legal() what QEMU or the interface rules out, CASES is chosen from what
remains: few cases, so that any two values that can meet do meet in one. The choice is greedy and has no
chance in it: the same tables give the same cases.
"""

import collections
import itertools
import statistics

from cases import MMIO, V2, Case
from host.errors import MIB

FACTORS = {
    "boot": ("pvh", "efi"),
    "machine": ("q35", "pc", "microvm"),
    "transport": ("modern", "transitional", "legacy", "mmio1", "mmio2"),
    "ring": ("split", "packed"),
    "events": ("event_idx", "flags"),
    "tables": ("indirect", "direct"),
    "features": ("plain", "oom", "hint", "reporting", "no-poison", "all", "iommu"),
}
Choice = collections.namedtuple("Choice", FACTORS)

# Ways to reach the device: (device with its options, the kernel's name for it).
TRANSPORTS = {
    "modern": ("virtio-balloon-pci,disable-legacy=on", "pci-modern"),
    "transitional": ("virtio-balloon-pci", "pci-modern"),
    "legacy": ("virtio-balloon-pci,disable-legacy=off,disable-modern=on", "pci-legacy"),
    "mmio1": (MMIO, "mmio-legacy"),
    "mmio2": (MMIO, "mmio"),
}
LEGACY = ("legacy", "mmio1")  # feature bits from 32 on do not exist there
# Features of the device: (options, bits that must then be accepted).
FEATURES = {
    "plain": ("", set()),
    "oom": (",deflate-on-oom=on", {2}),
    "hint": (",free-page-hint=on,iothread=io", {3}),
    "reporting": (",free-page-reporting=on", {5}),
    "no-poison": (",page-poison=off", set()),
    "all": (",deflate-on-oom=on,free-page-hint=on,iothread=io,free-page-reporting=on", {2, 3, 5}),
    "iommu": (",iommu_platform=on", {33}),
}
BALLOON_BITS = {2, 3, 5}
IOTHREAD = ("-object", "iothread,id=io")


def is_legal(choice):
    """Whether there is such a machine, and whether the choice means something on it."""
    is_mmio = choice.transport in ("mmio1", "mmio2")
    if is_mmio != (choice.machine == "microvm") or (is_mmio and choice.boot == "efi"):
        return False
    if choice.transport in LEGACY and choice.ring == "packed":
        return False  # bit 34
    # Bit 33, which QEMU refuses to put on PCI devices that have a legacy interface.
    return choice.features != "iommu" or choice.transport in ("modern", "mmio2")


def pairs(choice):
    """Every two values that meet in this choice."""
    return set(itertools.combinations(enumerate(choice), 2))


def legal_choices():
    return [c for c in itertools.starmap(Choice, itertools.product(*FACTORS.values())) if is_legal(c)]


def cover(wanted, choices):
    """Choices that together have all the wanted pairs: always one with most new ones, of those the
    first whose values were chosen least."""
    chosen, used = [], collections.Counter()
    while wanted:
        best = max(choices, key=lambda choice: (len(pairs(choice) & wanted),
                                                -sum(used[value] for value in choice)))
        wanted = wanted - pairs(best)
        used.update(best)
        chosen.append(best)
    return chosen


def choose():
    """EFI boots only as often as EFI itself must meet the others: PVH is 20 times as fast."""
    choices = legal_choices()
    wanted = set().union(*map(pairs, choices))
    by_efi = cover({pair for pair in wanted if (0, "efi") in pair},
                   [choice for choice in choices if choice.boot == "efi"])
    rest = wanted - set().union(*map(pairs, by_efi))
    return cover(rest, [choice for choice in choices if choice.boot == "pvh"]) + by_efi


def case_of(choice):
    """The machine of a choice. EFI needs more memory: its walk is as wide in what is left."""
    machine = "microvm,acpi=on" if choice.machine == "microvm" else choice.machine
    device = TRANSPORTS[choice.transport][0] + FEATURES[choice.features][0]
    device += ",packed=on" if choice.ring == "packed" else ""
    device += ",event_idx=off" if choice.events == "flags" else ""
    device += ",indirect_desc=off" if choice.tables == "direct" else ""
    extra = V2 if choice.transport == "mmio2" else ()
    extra += IOTHREAD if "iothread=io" in device else ()
    memory = (64 if choice.boot == "pvh" else 128) * MIB
    return Case("-".join(choice), boot=choice.boot, machine=machine, device=device, extra=extra,
                memory=memory)


def features_of(choice):
    """(bits that must be accepted, bits that must not)."""
    of_ring = {28: choice.tables == "indirect", 29: choice.events == "event_idx",
               32: choice.transport not in LEGACY, 34: choice.ring == "packed"}
    must = {1} | FEATURES[choice.features][1] | {bit for bit, on in of_ring.items() if on}
    return must, (BALLOON_BITS | {33} | set(of_ring)) - must


def queues_of(choice):
    """The queues and their numbers as the kernel tells them: those of features follow densely, hints first."""
    features = FEATURES[choice.features][1]
    names = ["inflate", "deflate", "stats"]
    names += [name for bit, name in ((3, "hint"), (5, "report")) if bit in features]
    return ",".join(f"{name}:{number}" for number, name in enumerate(names))


def summary(reports):
    """Lines on the cases that passed: how many, and the slowest by PVH and by EFI."""
    for boot in FACTORS["boot"]:
        took = {report.duration: report.nodeid for report in reports if f"::test_five_targets[{boot}-" in report.nodeid}
        if took:
            yield (f"matrix: {len(took)} cases by {boot}, the slowest took {max(took):.1f} s "
                   f"({took[max(took)].rpartition('[')[2][:-1]}), the median {statistics.median(took):.1f} s")


CASES = choose()
