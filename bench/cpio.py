# SPDX-License-Identifier: BSD-2-Clause
"""Writes a cpio archive in the "newc" format, which is what a Linux initramfs is.

The format (cpio(5), "New ASCII Format"): per entry a header of the magic 070701 and thirteen
fields of eight hex digits, the name with its NUL, the data; name and data each padded to a
multiple of four bytes counted from the start of the archive. An entry named TRAILER!!! ends it.
"""

import stat

_FIELDS = 13
_TRAILER = "TRAILER!!!"


class Archive:
    """Collects entries; bytes() gives the archive. Times and owners are 0, so that the same input
    gives the same bytes."""

    def __init__(self):
        self._parts = []
        self._size = 0
        self._inode = 0

    def folder(self, name):
        self._add(name, stat.S_IFDIR | 0o755, links=2)

    def file(self, name, data, executable=False):
        self._add(name, stat.S_IFREG | (0o755 if executable else 0o644), data)

    def link(self, name, to):
        """A symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, to.encode())

    def device(self, name, major, minor):
        """A character device."""
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        tail = Archive()
        tail._size = self._size
        tail._add(_TRAILER, 0)
        return b"".join(self._parts + tail._parts)

    def _add(self, name, mode, data=b"", links=1, device=(0, 0)):
        self._inode += 1
        raw = name.encode() + b"\0"
        inode = 0 if name == _TRAILER else self._inode
        fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(raw), 0)
        assert len(fields) == _FIELDS
        self._put(b"070701" + b"".join(b"%08X" % field for field in fields) + raw)
        self._put(data)

    def _put(self, data):
        padding = -(self._size + len(data)) % 4
        self._parts.append(data + b"\0" * padding)
        self._size += len(data) + padding
