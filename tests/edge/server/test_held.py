"""Answers that follow one another are sent together, and none of them waits for a slow one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from onnxlet.edge.server import server
from onnxlet.function.errors import LATER
from tests.edge.server.test_server import Serving, answer, echoed, request

SECONDS = 20.0  # that something may take on a busy machine
CLIENTS = 8


class Turns:
    """What is done within each turn, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self.logged: list[int] = []  # the turn of each answer

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.count += 1
        yield


class Logging:
    """An app around the echo, which notes in which turn an answer is logged."""

    def __init__(self, app: Any, turns: Turns) -> None:
        self._app, self._turns = app, turns

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[LATER].append(lambda: self._turns.logged.append(self._turns.count))
        return self._app(environ, start_response)


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def serving(turns: Turns) -> Iterator[Serving]:
    serving = Serving(threads=2, in_flight=2 * CLIENTS, together=turns)
    serving.server._app = Logging(serving.echo, turns)
    yield serving
    serving.end()


def at_once(serving: Serving, stack: ExitStack, *paths: str) -> list[socket.socket]:
    """Clients whose requests the server reads at once, since it was busy as they came."""
    first = stack.enter_context(serving.connect())
    clients = [stack.enter_context(serving.connect()) for _ in paths]
    for client in clients:
        client.sendall(request())
        echoed(client)  # it is accepted
    first.sendall(request("/wait"))
    assert serving.echo.waiting.acquire(timeout=SECONDS)
    for client, path in zip(clients, paths, strict=True):
        client.sendall(request(path))
    serving.echo.go.set()
    assert echoed(first)["path"] == "/wait"
    return clients


@pytest.mark.parametrize(("held", "turns_at_most"), [(SECONDS, 2), (0.0, CLIENTS)])
def test_they_are_sent_and_logged_in_one_turn(
    serving: Serving,
    turns: Turns,
    held: float,
    turns_at_most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "HANDOVER_SECONDS", SECONDS)  # nobody else takes the lead
    monkeypatch.setattr(server, "SLOW_SECONDS", SECONDS)
    monkeypatch.setattr(server, "HELD_SECONDS", held)
    with ExitStack() as stack:
        clients = at_once(serving, stack, *["/x"] * CLIENTS)
        assert [echoed(client)["path"] for client in clients] == ["/x"] * CLIENTS
        clients[0].sendall(request())
        assert answer(clients[0])[0] == 200  # so that all is logged
    together = len(set(turns.logged[CLIENTS : 2 * CLIENTS]))
    assert len(turns.logged) >= 2 * CLIENTS
    assert together <= turns_at_most
    if not held:
        assert together > 2


@pytest.mark.parametrize("expects_long", [False, True])
def test_none_waits_for_slow_ones_behind_it(serving: Serving, expects_long: bool) -> None:
    """Nor where another thread leads at once, all threads answer, and more requests wait."""
    with ExitStack() as stack:
        quick, *slow = at_once(serving, stack, "/x", "/y", "/y", "/y")
        for client in (quick, *slow):
            echoed(client)
        serving.echo.go.clear()
        first = stack.enter_context(serving.connect())
        first.sendall(request("/wait"))
        assert serving.echo.waiting.acquire(timeout=SECONDS)
        for client, path in ((quick, "/x"), *((each, "/wait") for each in slow)):
            client.sendall(request(path))
        if expects_long:
            serving.server._usual = 1.0
        quick.settimeout(0.5)  # the longest that the server looks at no held answer is a second
        assert echoed(quick)["path"] == "/x"  # although nothing lets the slow ones go
        serving.echo.go.set()
        assert [echoed(each)["path"] for each in (*slow, first)] == ["/wait"] * 4


def test_it_ends_although_the_clients_of_its_last_answers_are_gone(serving: Serving) -> None:
    server = serving.server
    client = serving.connect()
    client.sendall(request())
    echoed(client)

    def last(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # by reset
        client.close()
        server.stop()
        server._connections._wake()  # as a look at the connections does that comes between
        start_response("200 OK", [])
        return [b""]

    server._app = last
    client.sendall(request())
    serving.thread.join(SECONDS)
    assert not serving.thread.is_alive()
