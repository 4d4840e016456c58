"""`make audit`: what is locked is asked for, and what is found is named."""

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
from tools.audit import FOLDER, audit

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


def test_what_is_found_is_named(
    osv: tuple[str, list[dict[str, Any]]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address, asked = osv
    for file in (tmp_path / "one.txt", tmp_path / "below" / "two.txt"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(LOCK)

    assert audit(tmp_path, "--service-url", address) == 1

    written = capfd.readouterr()
    assert "jinja2 3.1.2 has 1 known vulnerability" in written.out
    assert "PYSEC-1: templates run what they should not" in written.out
    assert "Fixed in: 3.1.6" in written.out
    assert "hint" not in written.err
    pairs = sorted((each["package"]["name"], each["version"]) for each in asked)
    assert pairs == [("flask", "3.1.0"), ("jinja2", "3.1.2"), ("jinja2", "3.1.6")]


def test_all_that_is_locked_is_asked_of(osv: tuple[str, list[dict[str, Any]]]) -> None:
    address, asked = osv
    assert audit(FOLDER, "--service-url", address) == 0

    locks = [file.read_text() for file in FOLDER.rglob("*.txt")]
    written = {line.split()[0] for lock in locks for line in lock.splitlines() if "==" in line}
    expected = {each.lower().replace("_", "-") for each in written if "==" in each}
    assert len(expected) > 300
    assert {f"{each['package']['name']}=={each['version']}" for each in asked} == expected


def test_without_a_network_it_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (tmp_path / "one.txt").write_text(LOCK)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"

    assert audit(tmp_path, "--service-url", address) == 2

    written = capfd.readouterr()
    assert "Connection refused" in written.err
    assert written.err.endswith(
        "hint: known vulnerabilities are asked of api.osv.dev, by network\n"
    )


def test_the_suite_does_not_need_it() -> None:
    recipes = re.findall(
        r"^(test[\w-]*|check|setup|run):(.*\n(?:\t.*\n)*)", (ROOT / "Makefile").read_text(), re.M
    )
    assert len(recipes) > 10
    assert not [name for name, recipe in recipes if "audit" in recipe]
