# SPDX-License-Identifier: BSD-2-Clause
"""A QMP client over a connected unix socket: one command at a time, every wait bounded.

The peer is not trusted to keep to the protocol: an answer that is too long, no JSON, of another
command, or missing ends in a QmpError that says what came instead. Events that arrive between are
kept (the last EVENTS_KEPT) with the host time of their arrival. Not thread-safe: one owner.
"""

import collections
import json
import socket
import time

from .errors import ToolError

EVENTS_KEPT = 10000
LINE_MAX = 4 << 20
DEFAULT_TIMEOUT = 20.0  # a long inflate request freezes QEMU's main loop for seconds


class QmpError(ToolError):
    """The connection or the protocol broke."""


class QmpRefused(QmpError):
    """QEMU understood the command and answered with an error; .kind is its class."""

    def __init__(self, command, kind, text):
        super().__init__(f"QMP {command} refused: {text}")
        self.kind = kind


class Qmp:
    """One monitor connection; open() first, then execute() as often as wanted."""

    def __init__(self, sock, timeout=DEFAULT_TIMEOUT):
        self.sock = sock
        self.timeout = timeout
        self.events = collections.deque(maxlen=EVENTS_KEPT)
        self.version = ""
        self.ended = ""  # why QEMU is about to end, once it has said so
        self._pending = b""
        self._serial = 0

    def open(self):
        """Read the greeting and leave negotiation mode."""
        greeting = self._read(time.monotonic() + self.timeout, "the greeting")
        try:
            number = greeting["QMP"]["version"]["qemu"]
            self.version = "{major}.{minor}.{micro}".format(**number)
        except (KeyError, TypeError):
            raise QmpError(f"no QMP greeting but {_short(greeting)}") from None
        self.execute("qmp_capabilities")

    def execute(self, command, timeout=None, **arguments):
        """Run one command and return its value. Arguments with `_` are written with `-`.

        QEMU 7.2 can hang for good when a command arrives while it ends: after its SHUTDOWN nothing
        is sent and no answer waited for.
        """
        if self.ended:
            raise QmpError(f"QMP {command}: QEMU has ended ({self.ended})")
        self._serial += 1
        request = {"execute": command, "id": self._serial}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        deadline = time.monotonic() + (timeout or self.timeout)
        self._send(json.dumps(request).encode() + b"\n", deadline, command)
        while True:
            answer = self._read(deadline, command)
            if "event" in answer:
                self._take_event(answer, command)
            elif answer.get("id") != self._serial:
                raise QmpError(f"QMP {command}: not its answer: {_short(answer)}")
            elif "return" in answer:
                return answer["return"]
            else:
                error = answer.get("error")
                error = error if isinstance(error, dict) else {}
                raise QmpRefused(command, error.get("class"), error.get("desc", _short(answer)))

    def balloon(self, size):
        """Ask for a guest of `size` bytes."""
        self.execute("balloon", value=size)

    def query_balloon(self):
        """The guest's size in bytes as the driver last reported it."""
        value = self.execute("query-balloon")
        actual = value.get("actual") if isinstance(value, dict) else None
        if not isinstance(actual, int):
            raise QmpError(f"QMP query-balloon: no number in {_short(value)}")
        return actual

    def migration_end(self, timeout):
        """Wait for the end of a migration, however it is; query-migrate's answer."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.execute("query-migrate")
            if value.get("status") in ("completed", "failed", "cancelled"):
                return value
            if time.monotonic() > deadline:
                raise QmpError(f"QMP migrate: not done in {timeout:g} s: {_short(value)}")
            time.sleep(0.02)

    def guest_stats(self, path):
        """(seconds since 1970 of the last answer, {name: value}) of the balloon at `path`."""
        value = self.execute("qom-get", path=path, property="guest-stats")
        try:
            return value["last-update"], dict(value["stats"])
        except (KeyError, TypeError, ValueError):
            raise QmpError(f"QMP guest-stats: unusable answer {_short(value)}") from None

    def close(self):
        self.sock.close()

    def _take_event(self, event, command):
        self.events.append((time.monotonic(), event))
        if event["event"] == "SHUTDOWN":
            data = event.get("data")
            self.ended = str(data.get("reason", "")) if isinstance(data, dict) else ""
            self.ended = self.ended or "shutdown"
            raise QmpError(f"QMP {command}: QEMU has ended ({self.ended})")

    def _send(self, data, deadline, what):
        try:
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            self.sock.sendall(data)
        except OSError as error:
            raise QmpError(f"QMP {what}: cannot send: {error.strerror or error}") from None

    def _read(self, deadline, what):
        line = self._read_line(deadline, what)
        try:
            answer = json.loads(line)
        except ValueError:
            raise QmpError(f"QMP {what}: the answer is not JSON: {_short(line)}") from None
        if not isinstance(answer, dict):
            raise QmpError(f"QMP {what}: the answer is no object: {_short(answer)}")
        return answer

    def _read_line(self, deadline, what):
        while b"\n" not in self._pending:
            if len(self._pending) > LINE_MAX:
                raise QmpError(f"QMP {what}: an answer of more than {LINE_MAX >> 20} MiB")
            left = deadline - time.monotonic()
            if left <= 0:
                raise QmpError(f"QMP {what}: no answer in time")
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                continue
            except OSError as error:
                raise QmpError(f"QMP {what}: {error.strerror or error}") from None
            if not data:
                raise QmpError(f"QMP {what}: QEMU closed the connection")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def _short(value):
    text = value.decode(errors="replace") if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
