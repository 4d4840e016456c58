"""Requests that Schemathesis makes up from the document, over the real server on a socket.

The `examples` and `coverage` phases try each constraint on both of its sides, and every method
that a path does not have; `fuzzing` draws from the schemas, and from what they forbid.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran, start_server, stop_server

pytestmark = pytest.mark.schema

LEAST_CASES = 2000  # with SEED=2 make test-schema, others
KEY = "open sesame"
DIGEST = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"
CONFIG = (ROOT / "tests" / "schema" / "schemathesis.toml").read_text()
BEARER = f"""
[auth.openapi.bearer]
bearer = "{KEY}"
"""
ROWS = "100"  # few enough for a list to be made longer


@pytest.fixture
def server(models: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ONNXLET_")}
    environ = {**clean, "ONNXLET_MAX_ROWS": ROWS, **getattr(request, "param", {})}
    started = start_server(models, environ, tmp_path / "stderr")
    yield f"http://127.0.0.1:{started.port}"
    assert stop_server(started) == 0


def fetch(server: str, **headers: str) -> bytes:
    request = urllib.request.Request(f"{server}/openapi.json", headers=headers)  # noqa: S310 - the server that this test started
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
        content: bytes = answer.read()
    return content


def try_all(server: str, document: bytes, folder: Path, *more: str, config: str = "") -> str:
    """Run Schemathesis, hold it to finding nothing, and give what it printed."""
    (folder / "openapi.json").write_bytes(document)
    (folder / "schemathesis.toml").write_text(CONFIG + config)
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["run", "openapi.json", "--url", server, "--mode", "all"]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", "all"]
    from tests.schema.hooks import EXCUSES  # needs Schemathesis, which is not everywhere

    command += ["--exclude-checks", ",".join(EXCUSES)]  # the hooks bring them with exceptions
    command += [
        "--seed",
        os.environ.get("SEED", "1"),
        "--continue-on-failure",
        "--suppress-health-check",
        "all",
        "--no-color",
        *more,
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.schema.hooks", "PYTHONPATH": str(ROOT)}
    done = ran(command, cwd=folder, env={**os.environ, **hooks}, timeout=1000)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout


def cases_of(printed: str) -> int:
    found = re.search(r"(\d+) generated", printed)
    assert found, printed[-2000:]
    return int(found[1])


@pytest.mark.timeout(1200)
def test_every_route_keeps_to_the_document(server: str, tmp_path: Path) -> None:
    document = fetch(server)
    printed = try_all(server, document, tmp_path, "--max-examples", "10")

    print(printed[-1500:])
    operations = sum(map(len, json.loads(document)["paths"].values()))
    assert f"Tested: {operations}" in printed
    assert cases_of(printed) >= LEAST_CASES
    log = (tmp_path / "stderr").read_text()
    assert log.count('"status":') >= LEAST_CASES
    assert '"status":500' not in log
    assert "Traceback" not in log


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", [{"ONNXLET_API_KEYS": f"tester:{DIGEST}"}], indirect=True)
def test_nothing_answers_without_its_key(server: str, tmp_path: Path) -> None:
    few = ["--include-path-regex", "shop|^/[a-z]*(.json)?$|^/v[12]$", "--max-examples", "2"]
    document = fetch(server, **{"X-API-Key": KEY})
    printed = try_all(server, document, tmp_path, *few, config=BEARER)

    print(printed[-1500:])
    assert cases_of(printed) > 500


def test_each_exception_has_a_reason_and_a_check_of_its_name() -> None:
    from schemathesis.specs.openapi import checks

    from tests.schema.hooks import EXCUSES

    for name, excuses in EXCUSES.items():
        assert callable(getattr(checks, name))
        assert all(len(reason) > 20 for reason in excuses.values())
