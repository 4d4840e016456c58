"""docs/how-to/deploy.md's way without an account, as a newcomer pastes it."""

from __future__ import annotations

import json
import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.emulator import Emulator

pytestmark = pytest.mark.deploy

DOCUMENT = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
SECTION = DOCUMENT.split("## On AWS\n")[0]
BLOCKS = [text.split("\n") for text in re.findall(r"^```sh\n(.*?)\n```", SECTION, re.M | re.S)]


def test_the_way_without_an_account(emulator: Emulator, tmp_path: Path) -> None:
    make = partial(emulator.make, f"MODELS={tmp_path / 'models'}")  # the user's stay as they are
    [start], [model, export, deploy], after = BLOCKS
    assert start == "make emulator"  # as the fixture does, on another port
    assert export == "export AWS_ENDPOINT_URL=http://127.0.0.1:4566"
    assert make(*shlex.split(model)[1:]).returncode == 0
    done = make(*shlex.split(deploy)[1:])
    assert done.returncode == 0, done.stderr
    for line in re.findall(r"^```text\n(.*?)\n```", SECTION, re.M | re.S)[0].split("\n"):
        shape = re.sub(r"\d+ ms", r"\\d+ ms", re.escape(line).replace(r"\ ", " "))
        shape = re.sub(r"http://127\\.0\\.0\\.1:\d+(/\S+/)\w+", r"http://[\\w.:]+\1\\w+", shape)
        assert re.search(f"^{shape}", done.stdout, re.M), line
    [pasted] = [line for line in done.stdout.splitlines() if "/house-prices/predict" in line]
    assert json.loads(emulator.shell(pasted).stdout)["prediction"][0] > 10_000

    told = {}
    assert make("deploy", "OPEN=1", "MEMORY=512").returncode == 0
    for command in after:
        done = make(*shlex.split(command, comments=True)[1:])
        assert done.returncode == 0, done.stderr
        told[command.split()[1]] = done.stdout
    assert json.loads(told["invoke"])["model"] == "house-prices"
    assert '"method":"invoke"' in told["logs"]
    assert told["rollback"].startswith("version 1 is live again, instead of 2: house-prices/")
    assert told["remove"].startswith("onnxlet-dev is removed")
