# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's qtest protocol: a line in, a line back, over a connected socket.

Each command is one access to the machine's ports or memory as its CPU would make it; QEMU answers
when it is done, so a doorbell's answer comes after the request's work. The machine may stand still
(-S). An answer begins with OK; numbers in it are hexadecimal with 0x.
"""

import base64

import tree  # noqa: F401, before tools/host
from host.errors import ToolError

CHUNK = 256 << 10  # of memory written by one command


class QtestError(ToolError):
    """QEMU refused a command or went away."""


class Qtest:
    """One connection; every call waits for its answer. Addresses are guest-physical."""

    def __init__(self, sock):
        self._sock = sock
        self._answers = sock.makefile("rb")

    def close(self):
        self._answers.close()
        self._sock.close()

    def out32(self, port, value):
        self._command(f"outl {port:#x} {value:#x}")

    def in32(self, port):
        return self._number(f"inl {port:#x}")

    def read8(self, address):
        return self._number(f"readb {address:#x}")

    def read16(self, address):
        return self._number(f"readw {address:#x}")

    def read32(self, address):
        return self._number(f"readl {address:#x}")

    def write8(self, address, value):
        self._command(f"writeb {address:#x} {value:#x}")

    def write16(self, address, value):
        self._command(f"writew {address:#x} {value:#x}")

    def write32(self, address, value):
        self._command(f"writel {address:#x} {value:#x}")

    def write(self, address, data):
        for at in range(0, len(data), CHUNK):
            piece = data[at:at + CHUNK]
            text = base64.b64encode(piece).decode()
            self._command(f"b64write {address + at:#x} {len(piece):#x} {text}")

    def fill(self, address, size, byte):
        """Write that byte to all of the range: QEMU touches the memory as a guest would."""
        self._command(f"memset {address:#x} {size:#x} {byte:#x}")

    def _number(self, text):
        words = self._command(text).split()
        if len(words) != 2:
            raise QtestError(f"qtest {text}: no number in {' '.join(words)!r}")
        return int(words[1], 16)

    def _command(self, text):
        try:
            self._sock.sendall(text.encode() + b"\n")
            answer = self._answers.readline().decode(errors="replace").strip()
        except OSError as error:
            raise QtestError(f"qtest {text[:40]}: {error.strerror or error}") from None
        if not answer.startswith("OK"):
            raise QtestError(f"qtest {text[:40]}: {answer or 'QEMU closed the connection'}")
        return answer
