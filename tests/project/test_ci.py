"""What `.ci/run` leaves out for a commit, and what it never does."""

from __future__ import annotations

import re
import sys
from collections import defaultdict

import pytest

from tests.conftest import ROOT, ran

SCRIPT = (ROOT / ".ci" / "run").read_text()


def collected(*options: str) -> dict[str, list[str]]:
    """The cases of each test of two files, by its function, in their order."""
    files = ("tests/project/test_release.py", "tests/project/test_not_set_up.py")
    done = ran([sys.executable, "-m", "pytest", "--collect-only", "-q", *options, *files])
    assert done.returncode == 0, done.stderr
    cases = defaultdict(list)
    for line in done.stdout.splitlines():
        if "::" in line:
            cases[line.partition("[")[0]].append(line)
    return cases


@pytest.mark.long
def test_a_share_of_files_has_the_first_case_of_each() -> None:
    least = collected("--share", "100000", "--share-of", "file")
    assert [len(cases) for cases in least.values()] == [1, 1]
    assert len({name.partition("::")[0] for name in least}) == 2


@pytest.mark.long
def test_a_share_has_the_first_case_of_each_test_and_some_of_the_others() -> None:
    every, share, least = collected(), collected("--share", "3"), collected("--share", "100000")
    assert share.keys() == every.keys()
    assert all(set(share[name]) <= set(cases) for name, cases in every.items())
    assert len(every) < sum(map(len, share.values())) < sum(map(len, every.values()))
    assert least == {name: cases[:1] for name, cases in every.items()}


def test_every_suite_of_the_makefile_is_run_once() -> None:
    lists = re.findall(r'^(?:computing|waiting)="([^"$]+)"', SCRIPT, re.MULTILINE)
    run = [*" ".join(lists).split(), *re.findall(r"^suite (test\S*)", SCRIPT, re.MULTILINE)]
    makefile = (ROOT / "Makefile").read_text()
    assert sorted(run) == sorted(re.findall(r"^(test[a-z-]*):.*##", makefile, re.MULTILINE))
    [some] = re.findall(r'of_estimators="test-\((.+)\)"', SCRIPT)
    assert {f"test-{name}" for name in some.split("|")} <= set(run)
