"""What a release's service answers is judged, whatever it is: nothing of it stops the judge."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.device.slots import DevicePaths, live_slot
from onnxlet.edge.update import health
from onnxlet.edge.update.confirm import models_in
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.health import LocalServer, service_faults
from onnxlet.edge.update.history import read_history
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.update import rollback, update

Archives = Callable[[int], Path]
Says = dict[str, Any]


@pytest.fixture
def says(paths: DevicePaths) -> Iterator[Says]:
    """A service that answers as at build from slot a, and `body` from slot b; asked for `key`s."""
    reported: Says = {"body": b"", "status": 200, "headers": {}, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, b"{}", {})

        def do_POST(self) -> None:
            reported["asked"].append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers["Content-Length"]))
            if live_slot(paths) == "a" and not reported.get("always"):
                golden = json.loads(golden_of(paths).read_bytes())
                self._send(200, json.dumps(golden["answers"]).encode(), {})
            else:
                self._send(reported["status"], reported["body"], reported["headers"])

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        reported["url"] = f"http://127.0.0.1:{server.server_port}"
        yield reported
        server.shutdown()


def golden_of(paths: DevicePaths) -> Path:
    return paths.slot("a") / "models" / "iris" / "1" / "golden.json"


def asked_of(says: Says, paths: DevicePaths) -> list[str]:
    """What is wrong with a service that says this to golden rows, whatever is live."""
    says["always"] = True
    service = LocalServer(says["url"], "", "true", 0.3, paths.state)
    return service_faults(service, models_in(paths.live.resolve()))


HTML = b"<!DOCTYPE html><title>Welcome to nginx!</title>"
DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_ANSWERS = {
    "HTML": HTML,
    "a list": b"[1]",
    "a number": b"3",
    "null": b"null",
    "deep": DEEP,
    "deep in an answer": b'{"prediction": ' + DEEP + b"}",
    "not UTF-8": b"\xff\xfe",
    "empty": b"",
    "a number for rows": b'{"prediction": 3, "probabilities": 4}',
    "an object for rows": b'{"prediction": {}, "probabilities": {"0": 1}}',
}


@pytest.mark.parametrize("body", NOT_ANSWERS.values(), ids=NOT_ANSWERS)
def test_no_answer_is_a_fault(says: Says, paths: DevicePaths, body: bytes) -> None:
    says["body"] = body
    [fault] = asked_of(says, paths)
    assert "/models/iris/versions/1/predict" in fault
    assert len(fault) < 300


PROBABILITIES: dict[str, Callable[[list[list[float]]], Any]] = {
    "ragged": lambda rows: [[], *rows[1:]],
    "texts": lambda rows: [["a", "b", "c"]] * len(rows),
    "one column": lambda rows: [row[:1] for row in rows],
    "empty lists": lambda rows: [[[]]] * len(rows),
    "objects": lambda rows: [{"0": 1.0}] * len(rows),
    "of too many digits": lambda rows: [[10**400, 0, 0]] * len(rows),
    "flat": lambda rows: [row[0] for row in rows],
}


@pytest.mark.parametrize("change", PROBABILITIES.values(), ids=PROBABILITIES)
def test_answers_of_another_form_are_faults(
    says: Says, paths: DevicePaths, change: Callable[[Any], Any]
) -> None:
    answers = json.loads(golden_of(paths).read_bytes())["answers"]
    says["body"] = json.dumps(answers).encode()
    assert asked_of(says, paths) == []
    answers["probabilities"] = change(answers["probabilities"])
    says["body"] = json.dumps(answers).encode()
    [fault] = asked_of(says, paths)
    assert "golden rows are answered differently than at build" in fault


@pytest.mark.parametrize("content", [b"[1]", b"{}", DEEP, b""])
def test_golden_rows_that_are_none_are_a_fault(
    says: Says, paths: DevicePaths, content: bytes
) -> None:
    golden_of(paths).write_bytes(content)
    [fault] = asked_of(says, paths)
    assert fault.startswith(f"{says['url']} can't be checked: ")


def test_redirects_are_not_followed(says: Says, paths: DevicePaths) -> None:
    """The key that marks golden rows would go along."""
    answers = json.loads(golden_of(paths).read_bytes())["answers"]
    says |= {
        "status": 302,
        "headers": {"Location": "/elsewhere"},
        "body": json.dumps(answers).encode(),
    }
    [fault] = asked_of(says, paths)
    assert "expected status 200, got 302" in fault
    assert {path for path, _ in says["asked"]} == {"/models/iris/versions/1/predict"}


def test_an_endless_answer_is_read_up_to_a_limit(
    says: Says, paths: DevicePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LARGEST_ANSWER", 1000)
    says["body"] = b" " * 100_000
    [fault] = asked_of(says, paths)
    assert "more than 1000 bytes" in fault


def test_a_release_that_answers_nonsense_is_rolled_back(
    says: Says, setup: Setup, paths: DevicePaths, archives: Archives
) -> None:
    says["body"] = HTML
    setup = setup._replace(service=setup.service._replace(url=says["url"], seconds=0.3))
    with pytest.raises(Refused, match=r"bundle release 2 fails here.*not JSON"):
        update(setup, str(archives(2)))
    history = read_history(paths)
    assert (live_slot(paths), history.attempt) == ("a", None)
    assert 2 in history.broken["bundle"]


def test_a_slot_with_a_broken_list_is_rolled_back(
    says: Says, setup: Setup, paths: DevicePaths, archives: Archives
) -> None:
    """The card may lose it between the proof and the verdict, as well as a release may lack it."""
    spoil = f"""sh -c 'if cd "{paths.slot("b")}"; then echo [1] >bundle.json; fi'"""
    service = setup.service._replace(url=says["url"], seconds=0.3, restart=spoil)
    setup = setup._replace(service=service)
    with pytest.raises(Refused, match=r"bundle release 2 fails here.*bundle\.json"):
        update(setup, str(archives(2)))
    assert (live_slot(paths), read_history(paths).attempt) == ("a", None)


def test_a_rollback_to_nonsense_is_undone(
    says: Says, setup: Setup, paths: DevicePaths, archives: Archives
) -> None:
    update(setup, str(archives(2)))
    rollback(setup)
    says["body"] = b"[1]"
    setup = setup._replace(service=setup.service._replace(url=says["url"], seconds=0.3))
    history = read_history(paths)
    paths.data.joinpath("updates.json").unlink()  # whether 2 was given up does not matter here
    with pytest.raises(Refused, match="release 2 does not serve"):
        rollback(setup)
    assert live_slot(paths) == "a"
    assert history.broken["bundle"]


def test_what_a_slot_s_check_prints_may_be_any_bytes(paths: DevicePaths) -> None:
    main = paths.slot("a") / "__main__.py"
    main.write_text("import sys; sys.stderr.buffer.write(b'\\xff\\xfe'); sys.exit(1)\n")
    [fault] = health.slot_faults(paths.slot("a"))
    assert "exit code 1" in fault
