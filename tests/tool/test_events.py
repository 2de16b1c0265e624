# SPDX-License-Identifier: BSD-2-Clause
"""The parser of `@` lines: the form, firmware's noise around it, and lines that are no events."""

import random
import time

import pytest
from host.events import parse_line


def test_words_and_time():
    event = parse_line("@ t=1234567 balloon=virtio target=512 actual=0x100\r\n")
    assert event.t == 1234567
    assert event.words == {"balloon": "virtio", "target": "512", "actual": "0x100"}
    assert event.number("actual") == 256
    assert event.has(balloon="virtio", target=512)
    assert not event.has(balloon="virtio", target=513)


def test_quoted_value_keeps_blanks():
    event = parse_line('@ t=1 event=error command=fil reason="no such command" code=2')
    assert event.get("reason") == "no such command"
    assert event.number("code") == 2


def test_number_of_a_word_that_is_none():
    event = parse_line("@ t=1 a=x")
    assert event.number("a") is None
    assert event.number("b", 7) == 7


@pytest.mark.parametrize("cut", ["@", "@ t=1", "@ t=7 ", "@ t=7 balloon=virtio target=5", "@ t=7 event=error reason=\"no su"])
def test_a_line_cut_by_a_reset_is_not_taken_for_a_part_of_the_next(cut):
    event = parse_line(cut + "@ t=3 balloon=virtio target=512 actual=2")
    assert (event.t, event.words) == (3, {"balloon": "virtio", "target": "512", "actual": "2"})


def test_a_line_cut_in_quotes_is_told_from_one_with_quotes():
    event = parse_line('@ t=7 event=error reason="no su@ t=3 balloon=virtio event=attached at="00:02.0" irq=msix')
    assert (event.t, event.get("event"), event.get("at"), event.get("irq")) == (3, "attached", "00:02.0", "msix")


@pytest.mark.parametrize("before", ["", "@ t=4 balloon=virtio tar"])
def test_an_app_speaks_for_nobody_else(before):
    event = parse_line(before + "@ t=7 app=evil y=@ t=99 event=panic @ t=99 event=panic")
    assert (event.t, event.get("app"), event.get("event")) == (7, "evil", "panic")


@pytest.mark.parametrize("text", ['x="\\', '@ t=1 ="\\', "a", '@ t=1 a="', "@ t=1 a"])
def test_no_line_takes_long(text):
    start = time.process_time()
    parse_line(text[:6] + text[6:] * 30000 if text[:1] == "@" else text * 30000)
    assert time.process_time() - start < 0.5


def test_a_quoted_head_is_a_value():
    event = parse_line('@ t=7 event=error command="fil @ t=3 a=b" code=2')
    assert (event.t, event.get("command"), event.number("code")) == (7, "fil @ t=3 a=b", 2)


def test_terminal_escapes_are_dropped():
    assert parse_line("\x1b[2J\x1b[01;01H\x1b[=3h@ t=5 event=boot").get("event") == "boot"


@pytest.mark.parametrize("line", [
    "", "@", "@ ", "@ t=", "@ t=x event=boot", "@t=1 event=boot", "t=1 event=boot",
    " @ t=1 event=boot", "@ t=-1 a=b", "@ t=123456789012345678901 a=b", "@ t=1x a=b",
    "log: @ t=1 a=b",
])
def test_no_event(line):
    assert parse_line(line) is None


def test_noise_never_raises():
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(2000):
        line = "@ t=" + "".join(chr(rng.choice([61, 34, 92, 32, 27, 91, rng.randrange(1, 300)]))
                                for _ in range(rng.randrange(40)))
        event = parse_line(line)
        assert event is None or isinstance(event.words, dict)
