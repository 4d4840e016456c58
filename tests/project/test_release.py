"""What a release asks of a checkout, and what it makes of the documents."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from onnxlet.folders import VERSION
from tests.conftest import ROOT
from tests.project.test_readme import DOCUMENTS
from tools.release import FIRST, PRIVATE, NoRelease, faults, replace, run

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a", "-c", "commit.gpgsign=false")
BARE = re.compile(r"pip install (--no-compile )?'?onnxlet\b")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that 1.4.2 can be made of, after 1.4.1."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n- A\n\n## 1.4.1\n\n- B\n"
    )
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*GIT, *command], cwd=tmp_path, check=True)
    (tmp_path / ".git" / "ci-passed").write_text(f"{'0' * 40}\n{head(tmp_path)}\n")
    return tmp_path


def head(checkout: Path) -> str:
    return run("git", "rev-parse", "HEAD", cwd=checkout)


def commit(checkout: Path, changelog: str) -> None:
    """Another commit, which has passed."""
    (checkout / "CHANGELOG.md").write_text(changelog)
    subprocess.run([*GIT, "commit", "-q", "-a", "-m", "two"], cwd=checkout, check=True)
    (checkout / ".git" / "ci-passed").write_text(head(checkout))


def test_nothing_is_missing(checkout: Path) -> None:
    for version in ("1.4.2", "1.5.0", "1.10.0", "2.0.0"):
        assert list(faults(version, checkout, "1.4.1")) == []


@pytest.mark.parametrize(
    "version", ["1.4.1", "1.4.0", "0.9.9", "1.4", "1.4.2rc1", "v1.4.2", "1.04.2", ""]
)
def test_a_version_is_three_numbers_that_rise(checkout: Path, version: str) -> None:
    [told] = faults(version, checkout, "1.4.1")
    assert told.startswith(f"VERSION={version}: expected ")


def test_all_that_is_missing_is_named_at_once(checkout: Path) -> None:
    subprocess.run(["git", "tag", "v1.4.2"], cwd=checkout, check=True)
    (checkout / ".git" / "ci-passed").unlink()
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.4.1\n\n- B\n")
    tag, changes, record, entries = faults("1.4.2", checkout, "1.4.1")
    assert tag == "VERSION=1.4.2: there is a tag v1.4.2"
    assert changes == "the checkout has changes: commit them"
    assert record.endswith(
        f"has no line {head(checkout)}: SHARE=1 .ci/run writes it when it has passed"
    )
    assert entries == "CHANGELOG.md: expected entries under 'Unreleased'"


def test_another_commit_that_has_passed_does_not_count(checkout: Path) -> None:
    (checkout / ".git" / "ci-passed").write_text("0" * 40 + "\n")
    [told] = faults("1.4.2", checkout, "1.4.1")
    assert head(checkout) in told


def test_what_breaks_needs_a_major_version(checkout: Path) -> None:
    commit(checkout, "# Changelog\n\n## Unreleased\n\n### Breaking\n\n- A\n")
    assert list(faults("1.5.0", checkout, "1.4.1")) == [
        "CHANGELOG.md has 'Breaking': expected version 2.0.0"
    ]
    assert list(faults("2.0.0", checkout, "1.4.1")) == []


def test_ci_records_the_commit_that_has_passed(checkout: Path) -> None:
    """By the last lines of `.ci/run`, with the suites away."""
    text = (ROOT / ".ci" / "run").read_text()
    [first] = re.findall(r"^commit=.*$", text, re.MULTILINE)
    last = text[text.index('if [ -n "$commit" ]') :]
    record = checkout / ".git" / "ci-passed"
    lines = ["set -euo pipefail", first, "{}", last]
    script = "\n".join(lines)
    for change, share, recorded in (("true", 1, 1), ("true", 3, 0), ("echo >>CHANGELOG.md", 1, 0)):
        record.write_text("")
        environ = {**os.environ, "SHARE": str(share)}
        command = ["bash", "-c", script.replace("{}", change)]
        subprocess.run(command, cwd=checkout, check=True, env=environ)
        assert record.read_text().split() == [head(checkout)] * recorded
        subprocess.run(command, cwd=checkout.parent, check=True, env=environ)  # no checkout


def test_the_version_stands_in_one_place() -> None:
    assert f'VERSION = "{VERSION}"\n' in (ROOT / "onnxlet" / "folders.py").read_text()
    assert 'dynamic = ["version"]\n' in (ROOT / "pyproject.toml").read_text()
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text()


def test_a_place_that_is_not_there_once_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("b\nb\n")
    for pattern, count in (("b", 2), ("c", 0)):
        with pytest.raises(NoRelease, match=f"a: expected {pattern} once, got it {count} times"):
            replace(file, pattern, "d")
    assert file.read_text() == "b\nb\n"


def test_documents_say_how_to_install_what_is_published_once_it_is() -> None:
    texts = {document: document.read_text() for document in DOCUMENTS}
    private = PRIVATE.search((ROOT / "pyproject.toml").read_text()) is not None
    marked = {
        document.name
        for document, text in texts.items()
        if "first release" in text and "<!--" in text
    }
    assert marked == ({"README.md", "own-project.md"} if private else set())
    for document, text in texts.items():
        released = FIRST.sub(r"\1", text)
        assert not re.search("first release( -->)?$", released, re.MULTILINE), document
        shown = released if not private else re.sub(r"<!--.*?-->\n", "", text, flags=re.DOTALL)
        assert "not published" not in released
        assert not BARE.search(shown) or not private, document
    readme = FIRST.sub(r"\1", texts[ROOT / "README.md"])
    assert "python -m pip install --no-compile 'onnxlet[convert,edge]'\n" in readme
