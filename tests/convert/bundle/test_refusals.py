"""Bundles that can't be made: the reason, the way out, and nothing written."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from onnxlet.convert.bundle import contents, image_debian
from onnxlet.convert.bundle.archive import write_archive
from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import Share, parts_of, table
from onnxlet.convert.bundle.parts import Budget, Machine
from onnxlet.convert.errors import PackagingFailed
from onnxlet.edge.update.find import read_offer
from onnxlet.function.errors import ModelError
from tests.convert.bundle.conftest import PYTHON, Made, make
from tests.convert.helpers import invoked
from tests.edge.update.conftest import make_key


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.long
def test_over_its_budget_the_largest_parts_are_named_and_the_old_zip_stays(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle.zip"
    out.write_bytes(b"the one before")
    monkeypatch.setattr(contents, "find_interpreter", lambda python: None)
    told: list[str] = []
    with pytest.raises(PackagingFailed) as caught:
        make("lambda", models, out, budget=Budget(10_000_000, 30_000_000), told=told)

    message = caught.value.message
    assert "unpacked: expected at most 30.0 MB, got " in message
    assert "zipped: expected at most 10.0 MB, got " in message
    largest = message.partition("the largest parts are ")[2]
    assert {part.split()[0] for part in largest.split(", ")[:2]} == {"numpy", "onnxruntime"}
    assert "--remote" in caught.value.hint
    assert out.read_bytes() == b"the one before"
    assert files_in(tmp_path) == ["bundle.zip"]
    assert any("each cold start will take about 0.4 s longer" in line for line in told)


def test_the_table_adds_up(for_lambda: Made) -> None:
    unpacked = sum(p.stat().st_size for p in for_lambda.folder.rglob("*") if p.is_file())
    rows = {line.split("  ")[0].strip(): line for line in for_lambda.packaged.lines}

    assert {"numpy", "onnxruntime", "onnxlet", "flask", "werkzeug"} <= set(rows)
    assert f"{unpacked / 1e6:.1f} MB" in rows["in all"]
    assert f"{for_lambda.zip.stat().st_size / 1e6:.1f} MB" in rows["in all"]
    assert rows["Lambda's limit"].split()[2:] == ["262.1", "MB", "262.1", "MB"]


def test_parts_are_packages_code_and_models() -> None:
    sizes = {
        "numpy/a.py": 4, "numpy.libs/b.so": 5, "numpy-2.5.dist-info/METADATA": 1,
        "models/iris/2/model.onnx": 7, "function/app.py": 3, "bundle.json": 1,
    }  # fmt: skip
    assert parts_of(sizes, sizes) == [
        Share("numpy", 10, 10),
        Share("models/iris/2", 7, 7),
        Share("function", 3, 3),
        Share("bundle.json", 1, 1),
    ]
    lines = table(parts_of(sizes, sizes), 21, {})
    assert [line.split("  ")[0].strip() for line in lines] == ["", "the rest", "in all"]


def test_a_wheel_of_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (contents.REQUIREMENTS / "function.txt").read_text()
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("blinker=="))
    lines[start + 1] = "    --hash=sha256:" + "0" * 64
    end = next(n for n in range(start + 2, len(lines)) if lines[n].strip().startswith("# via"))
    (tmp_path / "function.txt").write_text("\n".join(lines[: start + 2] + lines[end:]))
    monkeypatch.setattr(contents, "REQUIREMENTS", tmp_path)

    with pytest.raises(PackagingFailed, match=r"(?s)can't be installed:.*Hash mismatch"):
        contents.install(Machine("3.13", "aarch64"), tmp_path / "installed", ["function.txt"])


def test_a_wheel_that_is_nowhere_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match=r"Python 3\.13 on riscv64 can't be installed"):
        contents.install(Machine("3.13", "riscv64"), tmp_path, ["function.txt"])


def test_without_an_interpreter_it_stops_where_one_is_required(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "find_interpreter", lambda python: None)
    with pytest.raises(PackagingFailed, match="--require-pyc: there is no Python") as caught:
        make("lambda", models, tmp_path / "other.zip", require_pyc=True)
    assert "uv python install" in caught.value.hint
    assert files_in(tmp_path) == []


def test_an_interpreter_is_one_that_runs_and_is_of_that_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert contents.find_interpreter(PYTHON) == sys.executable
    for name, script in (("python9.9", "exit 127"), ("python3", f'exec "{sys.executable}" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert contents.find_interpreter("9.9") is None


def test_a_source_that_does_not_compile_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    with pytest.raises(PackagingFailed, match=r"can't compile.*SyntaxError|broken\.py"):
        contents.compile_sources(tmp_path, ["broken.py"], sys.executable)


def test_a_zip_is_whole_or_not_there(tmp_path: Path) -> None:
    def stop(size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_archive(tmp_path / "x.zip", {"a": b"1"}, stop, lambda sizes, size: None)
    assert files_in(tmp_path) == []


def test_a_broken_model_is_not_packaged(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "iris", tmp_path / "models" / "iris")
    version = tmp_path / "models" / "iris" / "1"
    golden = json.loads((version / "golden.json").read_text())
    golden["answers"]["probabilities"][0][0] += 0.1
    (version / "golden.json").write_text(json.dumps(golden))

    with pytest.raises(ModelError, match=r"golden\.json was altered"):
        make("lambda", tmp_path / "models", tmp_path / "x.zip")


WRONG_USE = {
    "no models": (["--models", "nowhere"], "no models in 'nowhere'"),
    "unknown model": (["--model", "gone"], "no model gone in"),
    "unknown remote": (["--remote", "gone"], "no model gone in"),
    "remote is not taken": (["--model", "iris", "--remote", "shop"], "--remote: shop is not among"),
    "no zip": (["--out", "bundle.tar"], "--out: expected a name that ends in .zip"),
    "release on Lambda": (["--release", "3"], "--release: only device bundles are numbered"),
    "Python": (["--python", "3.10"], "'3.10' is not one of"),
    "architecture": (["--arch", "armv7l"], "'armv7l' is not one of"),
    "below a file": (["--out", "file/x.zip"], "file' is not a folder"),
    "out can't be written": (["--out", "/proc/x.zip"], "' can't be written to: "),
    "image in a zip": (["--target", "image"], "--out: expected a name that ends in .tar"),
    "no models on Lambda": (["--no-models"], "--no-models: only an image can be without"),
    "signed image": (
        ["--target", "image", "--out", "x.tar", "--release", "1", "--sign", "KEY"],
        "--sign: only what devices take is signed",
    ),
    "negative": (["--max-zipped", "-1"], "--max-zipped"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use(
    case: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, part = WRONG_USE[case]
    (tmp_path / "file").write_text("")
    usual = ["package", "--models", str(models), "--out", "bundle.zip"]
    monkeypatch.chdir(tmp_path)
    done = invoked(*usual, *arguments)

    assert done.exit_code == 2, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.zip"))


def test_without_apt_there_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-config").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(PackagingFailed) as caught:
        image_debian.fetch(Machine("3.13", "x86_64"), tmp_path)

    assert caught.value.message == "an image needs apt-get, dpkg-deb, which is not here"
    assert "make it on Debian 13" in caught.value.hint
    assert files_in(tmp_path) == ["bin"]


@pytest.mark.long
def test_the_command_and_a_model_whose_graph_is_remote(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked(
        "package", "--models", models, "--model", "iris", "--model", "shop",
        "--remote", "iris", "--python", PYTHON, "--out", "some folder/bundle.zip",
    )  # fmt: skip

    assert done.exit_code == 0, done.stderr
    assert "in all" in done.stdout
    assert f"some folder/bundle.zip: lambda, Python {PYTHON}, aarch64, sha256 " in done.stdout
    assert files_in(tmp_path / "some folder") == ["bundle.zip"]
    with zipfile.ZipFile(tmp_path / "some folder" / "bundle.zip") as bundle:
        inside = [name for name in bundle.namelist() if name.startswith("models/")]
        told = json.loads(bundle.read("bundle.json"))
    assert "models/iris/1/model.onnx" not in inside
    assert "models/iris/1/manifest.json" in inside
    assert "models/shop/1/model.onnx" in inside
    assert (told["models"], told["remote"]) == ({"iris": 1, "shop": 1}, ["iris"])


@pytest.mark.long
def test_a_device_s_release_is_signed_for_the_architecture_that_it_has(
    models: Path, tmp_path: Path
) -> None:
    make_key(tmp_path, "new")
    usual = ["package", "--models", str(models), "--target", "device", "--python", PYTHON]
    more = ["--release", "7", "--name", "pumps", "--sign", str(tmp_path / "new.key")]
    done = invoked(*usual, *more, "--out", str(tmp_path / "bundle.zip"))

    assert done.exit_code == 0, done.output
    comment = (tmp_path / "bundle.zip.minisig").read_text().splitlines()[2].split(": ", 1)[1]
    offer = read_offer(comment, "here")
    assert offer[:6] == ("bundle", "stable", "pumps", "aarch64", PYTHON, 7)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert json.loads(bundle.read("bundle.json"))["arch"] == "aarch64"


@pytest.mark.parametrize("what", ["golden.json", "model.onnx", "aliases.json", "1"])
def test_what_a_link_leads_to_is_not_packed(models: Path, tmp_path: Path, what: str) -> None:
    shutil.copytree(models / "iris", tmp_path / "models" / "iris")
    home = tmp_path / "models" / "iris"
    (home / "aliases.json").write_text('{"stable": 1}')
    path = home / what if (home / what).exists() else home / "1" / what
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")

    with pytest.raises(ModelError, match="it leads out of the model's folder"):
        choose_models(tmp_path / "models", [], [])
