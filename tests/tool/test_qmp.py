# SPDX-License-Identifier: BSD-2-Clause
"""The QMP client against a peer that obeys, then against peers that do not."""

import json
import socket
import threading
import time

import pytest
from host import qmp
from host.qmp import Qmp, QmpError, QmpRefused

GREETING = b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 9}}}}\n'


def connect(peer, timeout=2.0):
    """A client whose other end is served by peer(socket) in a thread."""
    ours, theirs = socket.socketpair()

    def serve():
        with theirs:
            try:
                peer(theirs)
            except OSError:
                pass  # the client has left

    threading.Thread(target=serve, daemon=True).start()
    return Qmp(ours, timeout)


def obey(answers):
    """A peer that greets and answers the n-th request by answers[n](id)."""
    def peer(sock):
        sock.sendall(GREETING)
        requests = sock.makefile("rb")
        for make in [lambda i: {"return": {}, "id": i}, *answers]:
            answer = make(json.loads(requests.readline())["id"])
            sock.sendall(answer if isinstance(answer, bytes)
                         else json.dumps(answer).encode() + b"\n")
        time.sleep(1)

    return peer


def opened(*answers, timeout=2.0):
    client = connect(obey(answers), timeout)
    client.open()
    return client


def test_greeting_gives_the_version():
    assert opened().version == "7.2.9"


def test_query_balloon_returns_bytes():
    client = opened(lambda i: {"return": {"actual": 12345}, "id": i})
    assert client.query_balloon() == 12345


def test_events_between_are_kept_in_order():
    def answer(i):
        lines = [{"event": "RESUME"}, {"event": "BALLOON_CHANGE"}, {"return": 1, "id": i}]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    client = opened(answer)
    assert client.execute("x") == 1
    assert [event["event"] for _, event in client.events] == ["RESUME", "BALLOON_CHANGE"]


def test_event_queue_is_bounded(monkeypatch):
    flood = b'{"event": "X"}\n' * (qmp.EVENTS_KEPT + 5)
    client = opened(lambda i: flood + json.dumps({"return": {}, "id": i}).encode() + b"\n")
    client.execute("x")
    assert len(client.events) == qmp.EVENTS_KEPT


def test_error_answer_names_command_and_reason():
    client = opened(lambda i: {"error": {"class": "GenericError", "desc": "no such"}, "id": i})
    with pytest.raises(QmpRefused, match="QMP balloon refused: no such") as caught:
        client.balloon(1)
    assert caught.value.kind == "GenericError"


@pytest.mark.parametrize("answer, message", [
    (b"{not json\n", "not JSON"),
    (b"[1]\n", "no object"),
    (b'{"return": {}, "id": 999}\n', "not its answer"),
    (b'{"return": {"actual": "many"}, "id": 2}\n', "no number"),
    (b'{"return": 7, "id": 2}\n', "no number"),
    (b"\xff\xfe\n", "not JSON"),
])
def test_bad_answer_is_one_clear_error(answer, message):
    with pytest.raises(QmpError, match=message):
        opened(lambda i: answer).query_balloon()


@pytest.mark.parametrize("greeting", [b"hello\n", b"{}\n", b'{"QMP": {"version": 1}}\n'])
def test_bad_greeting(greeting):
    client = connect(lambda sock: (sock.sendall(greeting), time.sleep(1)))
    with pytest.raises(QmpError, match="greeting"):
        client.open()


def test_silence_ends_in_time():
    client = opened(lambda i: b"", timeout=0.2)
    start = time.monotonic()
    with pytest.raises(QmpError, match="no answer in time"):
        client.query_balloon()
    assert time.monotonic() - start < 2


def test_endless_line_is_refused(monkeypatch):
    monkeypatch.setattr(qmp, "LINE_MAX", 100_000)
    client = opened(lambda i: b"x" * 400_000)
    with pytest.raises(QmpError, match="an answer of more than"):
        client.query_balloon()


def test_closed_connection():
    client = connect(lambda sock: sock.sendall(GREETING))
    with pytest.raises(QmpError, match="closed|cannot send|reset"):
        client.open()


def test_guest_stats_must_have_their_form():
    client = opened(lambda i: {"return": {"last-update": 5, "stats": {"a": 1}}, "id": i},
                    lambda i: {"return": {"stats": {}}, "id": i})
    assert client.guest_stats("/x") == (5, {"a": 1})
    with pytest.raises(QmpError, match="guest-stats"):
        client.guest_stats("/x")


def test_shutdown_ends_the_wait_for_an_answer():
    event = b'{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\n'
    client = opened(lambda i: event)
    for _ in range(2):  # the second call sends nothing
        with pytest.raises(QmpError, match="QEMU has ended .guest-shutdown."):
            client.query_balloon()


@pytest.mark.parametrize("event", [b'{"event": "SHUTDOWN"}\n', b'{"event": "SHUTDOWN", "data": 1}\n'])
def test_shutdown_without_a_reason(event):
    with pytest.raises(QmpError, match="QEMU has ended .shutdown."):
        opened(lambda i: event).query_balloon()
