"""What is left to do once an answer is sent: logging and counting, which no client waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onnxlet.edge.server import server
from onnxlet.function.errors import LATER
from tests.edge.server.test_server import Serving, answer, request

SECONDS = 10.0


class Leaves:
    """An app that leaves something to do, and answers how much of it was done before.

    Attributes:
        done: how often it was.
        took: seconds that an answer takes.
        blocks: what is left waits until it is let go.
        go: lets it go.
    """

    def __init__(self) -> None:
        self.done, self.took, self.blocks = 0, 0.0, False
        self.go = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        time.sleep(self.took)
        if environ["PATH_INFO"] == "/fails":
            environ[LATER].append(lambda: 1 / 0)
        elif environ["PATH_INFO"] != "/asks":
            environ[LATER].append(self._finish)
        start_response("200 OK", [])
        return [b"%d" % self.done]

    def _finish(self) -> None:
        assert not self.blocks or self.go.wait(SECONDS)
        self.done += 1


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture
def leaving(failures: list[BaseException]) -> Iterator[Serving]:
    serving = Serving(threads=2, in_flight=8, fail=failures.append)
    serving.server._app = Leaves()
    yield serving
    serving.server._app.go.set()
    serving.end()


def test_an_answer_is_sent_before(
    leaving: Serving, failures: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    # This machine may be busy: a short answer that takes long would be sent only afterwards.
    monkeypatch.setattr(server, "SLOW_SECONDS", SECONDS)
    monkeypatch.setattr(server, "HANDOVER_SECONDS", SECONDS)
    app = leaving.server._app
    assert isinstance(app, Leaves)
    app.blocks = True
    with leaving.connect() as connection:
        connection.sendall(request())
        assert answer(connection)[2] == b"0"  # although what is left has not ended
        assert app.done == 0
        app.go.set()
        connection.sendall(request("/asks"))
        assert answer(connection)[2] == b"1"
    assert failures == []  # it was not waited for in vain


def each_is_done_once_another_asks(leaving: Serving, times: int) -> None:
    with leaving.connect() as one, leaving.connect() as other:
        for number in range(1, times + 1):
            one.sendall(request())
            answer(one)
            other.sendall(request("/asks"))
            assert answer(other)[2] == b"%d" % number


def test_who_asks_after_an_answer_finds_it_done(leaving: Serving) -> None:
    each_is_done_once_another_asks(leaving, 199)


def test_also_on_the_same_connection(leaving: Serving) -> None:
    with leaving.connect() as connection:
        connection.sendall(request() * 3 + request("/asks"))
        assert [answer(connection)[2] for _ in range(4)] == [b"0", b"1", b"2", b"3"]


def test_after_a_long_answer_it_is_done_before(leaving: Serving) -> None:
    """Another thread leads by then: who asks it for figures must find this answer counted."""
    app = leaving.server._app
    assert isinstance(app, Leaves)
    app.took = 4 * server.HANDOVER_SECONDS
    each_is_done_once_another_asks(leaving, 9)


def test_what_fails_costs_neither_the_answer_nor_the_connection(
    leaving: Serving, failures: list[BaseException]
) -> None:
    with leaving.connect() as connection:
        for _ in range(2):
            connection.sendall(request("/fails"))
            assert answer(connection)[0] == 200
        connection.sendall(request("/asks"))
        assert answer(connection)[0] == 200
    assert [type(error) for error in failures] == [ZeroDivisionError] * 2
