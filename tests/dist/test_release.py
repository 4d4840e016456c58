"""`make release` as a whole, of a copy of this checkout, and both ways to install what it makes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran
from tests.dist.test_own_project import PYTHON, run
from tests.project.commands import apart_from_make
from tests.project.test_setup import not_built
from tools.release import PRIVATE

pytestmark = [pytest.mark.dist, pytest.mark.timeout(1500)]  # whichever comes first makes it

VERSION = "9.0.0"
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the repository, as a checkout of one commit, in a path with a space."""
    folder = tmp_path_factory.mktemp("release") / "my clone"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=not_built)
    for name in (".venv", ".venv-release"):
        (folder / name).symlink_to(ROOT / name)
    changelog = folder / "CHANGELOG.md"  # of a release's own commit nothing is unreleased
    text = changelog.read_text()
    changelog.write_text(text.replace("## Unreleased\n", "## Unreleased\n\n### Added\n\n- A.\n", 1))
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All of it"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env={**os.environ, **WHO})
    return folder


def make(copy: Path, version: str) -> subprocess.CompletedProcess[str]:
    """`make release`, with the environments that are there."""
    there = [option for name in (".venv/dev", ".venv-release/ready") for option in ("-o", name)]
    command = ["make", *there, "release", f"VERSION={version}"]
    return ran(command, cwd=copy, env={**apart_from_make(), **WHO}, timeout=1200)


@pytest.fixture(scope="module")
def released(copy: Path) -> Path:
    """A folder with the wheel and the source archive of a release."""
    head = run("git", "rev-parse", "HEAD", cwd=copy).stdout
    (copy / ".git" / "ci-passed").write_text(head)
    done = make(copy, VERSION)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        f"Committed and tagged here. To publish it: git push origin HEAD v{VERSION}"
    )
    return copy / "dist"


def test_without_the_record_nothing_is_changed(copy: Path) -> None:
    before = run("git", "rev-parse", "HEAD", cwd=copy).stdout
    done = make(copy, VERSION)
    assert done.returncode == 2
    assert f"has no line {before.strip()}" in done.stderr
    assert run("git", "rev-parse", "HEAD", cwd=copy).stdout == before
    assert run("git", "status", "--porcelain", cwd=copy).stdout == ""


def test_a_commit_and_a_tag_say_the_version(copy: Path, released: Path) -> None:
    assert run("git", "status", "--porcelain", cwd=copy).stdout == ""
    assert run("git", "worktree", "list", cwd=copy).stdout.count("\n") == 1
    tagged, head = run(
        "git", "rev-parse", f"v{VERSION}^{{commit}}", "HEAD", cwd=copy
    ).stdout.split()
    assert tagged == head
    changed = run("git", "diff", "--name-only", "HEAD~", cwd=copy).stdout.split()
    first = {"README.md", "docs/how-to/own-project.md", "pyproject.toml"}  # only of the first one
    private = PRIVATE.search((ROOT / "pyproject.toml").read_text()) is not None
    always = {"CHANGELOG.md", "onnxlet/folders.py"}
    assert {each for each in changed if not each.startswith("tests/kept/")} == (
        always | first if private else always
    )
    kept = {each.split("/")[3] for each in changed if each.startswith(f"tests/kept/{VERSION}/")}
    assert kept == {"device.tar.xz", "models", "surface.json"}
    assert re.search(
        rf"^## Unreleased\n\n## {VERSION} - \d{{4}}-\d\d-\d\d\n\n### ",
        (copy / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    )


def test_the_files_may_be_published(released: Path) -> None:
    wheel, archive = released / f"onnxlet-{VERSION}-py3-none-any.whl", f"onnxlet-{VERSION}"
    with zipfile.ZipFile(wheel) as opened:
        about = opened.read(f"{archive}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(about)
    assert metadata["Version"] == VERSION
    assert not [each for each in metadata.get_all("Classifier", []) if "Private" in each]
    assert "pip install --no-compile 'onnxlet[convert,edge]'" in about
    with tarfile.open(released / f"{archive}.tar.gz") as opened:
        assert f"{archive}/onnxlet/demo.py" in opened.getnames()


@pytest.mark.parametrize("readme", ["of this checkout", "of the release"])
def test_the_readme_installs_it_from_a_folder_of_wheels(
    readme: str, copy: Path, released: Path, dist: Path, tmp_path: Path
) -> None:
    """Each form; `onnxlet demo` is tried by tests/dist/test_own_project.py."""
    text = (ROOT if readme == "of this checkout" else copy).joinpath("README.md").read_text()
    section = text.partition("## Without a clone\n")[2].partition("\n## ")[0]
    install, demo, _ = SHELL.findall(re.sub(r"<!--.*?-->", "", section, flags=re.DOTALL))
    assert demo == "onnxlet demo\n"
    wheels = dist if readme == "of this checkout" else released
    [wheel] = wheels.glob("*.whl")
    shutil.copytree(wheels, tmp_path / "clone" / "dist")
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "uninstall", "--yes", "onnxlet", cwd=ROOT)
    run(
        "sh", "-c", install.replace("/path/to/clone", str(tmp_path / "clone")), cwd=tmp_path,
        PATH=f"{PYTHON.parent}:{os.environ['PATH']}", PIP_NO_INDEX="1",
        PIP_FIND_LINKS=wheels.as_uri(),
    )  # fmt: skip
    said = run(PYTHON.parent / "onnxlet", "--version", cwd=tmp_path).stdout
    assert said == f"onnxlet, version {wheel.name.split('-')[1]}\n"
