# SPDX-License-Identifier: BSD-2-Clause
"""Counts what a guest makes QEMU do, from QEMU's own trace: doorbells, writes of `actual`, discards.

Tracing costs more than what it traces: no figure of a traced guest is a time.
"""

import collections
import os
import re
import shutil
import tempfile

EVENTS = ("virtio_queue_notify", "virtio_balloon_set_config", "ram_block_discard_range")
QUEUES = {0: "inflate", 1: "deflate", 2: "stats", 3: "report"}  # as QEMU numbers them
NOTIFY = re.compile(r"virtio_queue_notify .* n (\d+) ")
DISCARD = re.compile(r"ram_block_discard_range .* \+ 0x([0-9a-f]+):")


class Trace:
    """The trace file of one QEMU; arguments() must be among its options."""

    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="aerostat-trace-")
        self._path = os.path.join(self._folder, "trace")
        self._read_to = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    def arguments(self):
        words = [word for event in EVENTS for word in ("-trace", event)]
        return (*words, "-D", self._path)

    def take(self):
        """Counts since the last call."""
        with open(self._path, encoding="ascii", errors="replace") as file:
            file.seek(self._read_to)
            counts = count(file)
            self._read_to = file.tell()
        return counts


def count(lines):
    """Counter of "notify QUEUE", "actual", "discards" and "discarded" bytes."""
    counts = collections.Counter()
    for line in iter(lines.readline, ""):  # not `for line in`: that forbids tell()
        notify, discard = NOTIFY.match(line), DISCARD.match(line)
        if notify:
            counts["notify " + QUEUES.get(int(notify.group(1)), "other")] += 1
        elif discard:
            counts["discards"] += 1
            counts["discarded"] += int(discard.group(1), 16)
        elif line.startswith("virtio_balloon_set_config"):
            counts["actual"] += 1
    return counts


def per_gib(counts, moved_bytes):
    """{column: number per GiB moved} of one phase."""
    scale = (1 << 30) / moved_bytes
    figures = {name: counts["notify " + name] * scale for name in ("inflate", "deflate", "report")}
    figures["all"] = sum(n for key, n in counts.items() if key.startswith("notify ")) * scale
    figures["actual"] = counts["actual"] * scale
    figures["discards"] = counts["discards"] * scale
    figures["KiB each"] = counts["discarded"] / counts["discards"] / 1024 if counts["discards"] else 0
    return figures
