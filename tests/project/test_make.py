"""What may stand on make's command line: a variable that nothing reads is refused."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT, ran
from tests.project.commands import apart_from_make
from tools.deploy.options import OPTIONS


def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` as typed, not as a part of another one, which hands on its own arguments."""
    return ran(["make", "-n", *arguments], cwd=ROOT, env=apart_from_make())


@pytest.mark.parametrize("target", ["model", "test", "help", "deploy"])
def test_make_refuses_a_variable_that_is_misspelt(target: str) -> None:
    for wrong, told in (("EXMPLE", "did you mean EXAMPLE?"), ("XYZ", "there are ALARM_TOPIC ")):
        done = typed(target, f"{wrong}=churn")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"*** {wrong}: unknown variable; {told}" in done.stderr


def test_make_takes_every_variable_that_it_and_a_deployment_read() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [listed] = re.findall(r"^SAID := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    read = {*re.findall(r"\$\(([A-Z][A-Z_0-9]*)\)", makefile)} - {"MAKE", "ONNXLET_MODELS"}
    own = {*re.findall(r"^([A-Z_0-9]+) :=", makefile, re.MULTILINE)}
    known = set(listed.replace("\\\n", " ").split())

    assert (read - own) | {*OPTIONS} <= known
    assert typed("model", *(f"{name}=1" for name in sorted(known)), "AWS_REGION=x").returncode == 0
