# SPDX-License-Identifier: BSD-2-Clause
"""The guest's `@` lines, taken apart. docs/events.md is the schema.

A guest is not trusted either: what does not have the form is no event, never an exception.
"""

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[A-Z=>])")
_WORD = re.compile(r'(?<!\S)([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
_HEAD_OR_QUOTED = re.compile(r'@ t=(\d{1,20})(?: |$)|(?<==)"(?:[^"\\]|\\.)*"(?!\S)')


class Event:
    """One line: t in ns of the guest's clock, the words, and when the host saw it."""

    __slots__ = ("t", "words", "host")

    def __init__(self, t, words, host=0.0):
        self.t, self.words, self.host = t, words, host

    def get(self, key, default=None):
        return self.words.get(key, default)

    def number(self, key, default=None):
        """The word as an integer (0x.. is hexadecimal), or the default."""
        try:
            return int(self.words[key], 0)
        except (KeyError, ValueError):
            return default

    def has(self, **words):
        """True when every given word is there with that value."""
        return all(self.words.get(k) == str(v) for k, v in words.items())

    def __repr__(self):
        return f"@ t={self.t} " + " ".join(f"{k}={v}" for k, v in self.words.items())


def clean(line):
    """A serial line without terminal escapes and line ends (firmware paints its screen there)."""
    return _ESCAPES.sub("", line).strip("\r\n\0")


def _head_of(line):
    """A guest that is reset or loaded in the middle of a line goes on behind what it had said of it: the last head
    counts. But all words of an app are the app's, whatever they look like."""
    head = None
    for found in _HEAD_OR_QUOTED.finditer(line):
        head = found if found[1] else head
        if head and line.startswith("app=", head.end()):
            break
    return head


def parse_line(line, host=0.0):
    """The Event in a line, or None."""
    line = clean(line)
    head = _head_of(line) if line[:1] == "@" else None
    if not head:
        return None
    words = {}
    for key, value in _WORD.findall(line, head.end()):
        words[key] = value[1:-1] if value[:1] == '"' and value[-1:] == '"' else value
    return Event(int(head.group(1)), words, host)
