"""`make audit`: what is locked is asked for, and what is found is named with its lock file."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tools.audit import audit, main, pins_of

LOCK = """\
flask==3.1.0 \\
    --hash=sha256:ab
    # via -r function.in
Jinja2==3.1.2 ; python_version < '3.12' \\
    --hash=sha256:cd
jinja2==3.1.6 ; python_version >= '3.12' \\
    --hash=sha256:ef
"""
ABOUT = {
    "id": "PYSEC-1",
    "summary": "templates run what they should not",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.6"}]}],
        }
    ],
}


class Osv(BaseHTTPRequestHandler):
    """Answers as https://google.github.io/osv.dev/api/ says, with one vulnerability."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.asked += queries
        known = [{"id": "PYSEC-1", "modified": ABOUT["modified"]}]
        bad = [q["package"]["name"] == "jinja2" and q["version"] == "3.1.2" for q in queries]
        self._answer({"results": [{"vulns": known} if each else {} for each in bad]})

    def do_GET(self) -> None:
        self._answer(ABOUT)

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Not shown."""


@pytest.fixture
def osv() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of one that knows a vulnerability, and what it is asked."""
    asked: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (Osv,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_found_is_named_with_the_files_that_lock_it(
    osv: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    address, asked = osv
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for file in files:
        file.write_text(LOCK)

    [line] = audit(files, "--service-url", address)

    assert line == (
        "jinja2 3.1.2: PYSEC-1: templates run what they should not; fixed in 3.1.6; "
        "in one.txt, two.txt"
    )
    pairs = sorted((each["package"]["name"], each["version"]) for each in asked)
    assert pairs == [("flask", "3.1.0"), ("jinja2", "3.1.2"), ("jinja2", "3.1.6")]


def test_all_lock_files_are_asked_of(
    osv: tuple[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    address, asked = osv
    code = main("--service-url", address)

    files = [file for file in (ROOT / "requirements").rglob("*.txt") if "==" in file.read_text()]
    expected = pins_of(files)
    found = {(each["package"]["name"], each["version"]) for each in asked}
    assert found == {(re.sub(r"[._]", "-", name), version) for name, version in expected}
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"{len(expected)} locked versions in {len(files)} files: {code} found"


def test_without_a_network_it_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    code = main("--service-url", address)

    written = capsys.readouterr()
    assert (code, written.out) == (2, "")
    assert written.err.startswith("error: known vulnerabilities can't be asked for:\n")
    assert "hint: make audit needs a network, and asks api.osv.dev" in written.err


def test_the_suite_does_not_need_it() -> None:
    recipes = re.findall(
        r"^(test[\w-]*|check|setup|run):(.*\n(?:\t.*\n)*)", (ROOT / "Makefile").read_text(), re.M
    )
    assert len(recipes) > 10
    assert not [name for name, recipe in recipes if "audit" in recipe]
