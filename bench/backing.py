# SPDX-License-Identifier: BSD-2-Clause
"""What lies behind a guest's RAM on the host. It decides most of what a balloon costs, so every
figure names it."""

import contextlib
import ctypes
import typing

import tree  # noqa: F401, before tools/host
from host.errors import Skipped

PR_SET_THP_DISABLE = 41
THP_SWITCH = "/sys/kernel/mm/transparent_hugepage/enabled"


class Backing(typing.NamedTuple):
    """`ram` is what tools/host/qemu.py calls it."""

    name: str
    ram: str
    huge: bool


BACKINGS = {"thp": Backing("private, THP", "private", True),
            "4k": Backing("private, 4 KiB", "private", False),
            "file": Backing("shared file", "shared", False)}


def find(name):
    """The backing of that name; Skipped when this host cannot offer it."""
    backing = BACKINGS[name]
    if backing.huge and thp_mode() not in ("always", "madvise"):
        raise Skipped(f"this host gives no huge pages: {THP_SWITCH} says {thp_mode() or 'nothing'}")
    return backing


def thp_mode():
    """What the host's switch says, or None without one."""
    try:
        with open(THP_SWITCH, encoding="ascii") as file:
            return selected(file.read())
    except OSError:
        return None


def selected(text):
    """The word in brackets of `always [madvise] never`."""
    return text.partition("[")[2].partition("]")[0]


@contextlib.contextmanager
def in_force(backing):
    """What is started inside gets no huge pages if the backing has none; children keep that."""
    libc = ctypes.CDLL(None)
    if not backing.huge:
        libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
