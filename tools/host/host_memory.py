# SPDX-License-Identifier: BSD-2-Clause
"""What the host really holds for a guest: RSS and huge pages of the process, data in a RAM file."""

import errno
import os

from .errors import ToolError

PAGE = 4096


def rss(pid):
    """(resident bytes, bytes of those on transparent huge pages) of a process."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            fields = dict(line.split()[:2] for line in file)
    except (FileNotFoundError, ProcessLookupError):
        raise ToolError(f"process {pid} is gone") from None
    return int(fields.get("Rss:", 0)) * 1024, int(fields.get("AnonHugePages:", 0)) * 1024


def available():
    """Bytes the host can still give without swapping."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split()[:2] for line in file)
    return int(fields["MemAvailable:"]) * 1024


def cpu_seconds(pid):
    """User and system time a process has used so far, all its threads."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise ToolError(f"process {pid} is gone") from None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class RamFile:
    """A guest's RAM in a sparse file: who owns a page shows in its holes.

    The file is unlinked as soon as QEMU has it open (forget_name), so nothing is left behind
    whatever happens to us.
    """

    def __init__(self, path, size):
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.ftruncate(self.fd, size)
        except OSError as error:
            raise ToolError(f"cannot make the RAM file {path}: {error.strerror}") from None

    def forget_name(self):
        if self.path:
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass
            self.path = None

    def allocated(self):
        """Bytes that have backing."""
        return os.fstat(self.fd).st_blocks * 512

    def data(self):
        """The ranges with backing, as (first page, pages), ascending."""
        ranges, at = [], 0
        while True:
            try:
                start = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                    return ranges
                raise
            at = os.lseek(self.fd, start, os.SEEK_HOLE)
            ranges.append((start // PAGE, (at - start) // PAGE))

    def close(self):
        self.forget_name()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def overlap(left, right):
    """Pages common to two ascending lists of (first, pages)."""
    pages = i = j = 0
    while i < len(left) and j < len(right):
        start = max(left[i][0], right[j][0])
        end = min(sum(left[i]), sum(right[j]))
        pages += max(0, end - start)
        if sum(left[i]) < sum(right[j]):
            i += 1
        else:
            j += 1
    return pages
