# SPDX-License-Identifier: BSD-2-Clause
"""Errors that end a command with one readable line, and the sizes people type."""

EXIT_PASS, EXIT_FAIL, EXIT_SKIPPED = 0, 1, 77

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class ToolError(Exception):
    """Something the user must read: one line, exit status 1."""

    exit_code = EXIT_FAIL


class Skipped(ToolError):
    """What was asked cannot be done on this host; the line names what is missing."""

    exit_code = EXIT_SKIPPED


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM. A BaseException, so that no `except Exception` swallows it."""


def parse_size(text):
    """Bytes from "512M", "1G", "64K" or a plain number of MiB (as QEMU's -m has it)."""
    units = {"K": KIB, "M": MIB, "G": GIB, "T": GIB << 10}
    digits, unit = text.strip().upper().removesuffix("IB").removesuffix("B"), MIB
    if digits and digits[-1] in units:
        unit, digits = units[digits[-1]], digits[:-1]
    if not digits.isdecimal() or int(digits) == 0:
        raise ToolError(f"not a size: {text!r} (write 512M or 1G)")
    return int(digits) * unit
