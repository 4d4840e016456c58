"""Signatures and keys, ours and those of the minisign program, each read by the other."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from onnxlet.convert.bundle.sign import read_public_key, read_secret_key, sign_file
from onnxlet.convert.command_line import main
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.find import read_offer
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.signature import check_signed, read_keys, read_signature
from onnxlet.edge.update.update import update
from onnxlet.function.errors import WrongUse
from tests.conftest import ran
from tests.edge.update.conftest import make_key

PASSWORD = "a word"  # noqa: S105 - of keys that are made here
needs_minisign = pytest.mark.skipif(
    not shutil.which("minisign") and os.environ.get("TESTS_MAY_SKIP") != "no",
    reason="needs minisign",
)


def never() -> str:
    raise AssertionError("there is no password to ask for")


def minisign(*arguments: str, given: str = "") -> str:
    done = ran(["minisign", *arguments], input=given)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


slow = pytest.param(PASSWORD, id="password", marks=pytest.mark.faults)  # it takes a gigabyte


@needs_minisign
@pytest.mark.parametrize("password", [pytest.param("", id="open"), slow])
def test_minisign_and_this_read_each_other(tmp_path: Path, password: str) -> None:
    secret, public, file = (tmp_path / name for name in ("key", "key.pub", "file"))
    without = [] if password else ["-W"]
    twice = f"{password}\n{password}\n" if password else ""
    minisign("-G", *without, "-s", str(secret), "-p", str(public), given=twice)
    file.write_bytes(b"some bytes")

    key = read_secret_key(secret, (lambda: password) if password else never)
    assert read_public_key(public) == (key.id, key.key.public_key())
    sign_file(file, "onnxlet kind=x", key)
    assert "Trusted comment: onnxlet kind=x" in minisign("-V", "-p", str(public), "-m", str(file))

    minisign("-S", "-s", str(secret), "-m", str(file), "-t", "theirs", given=f"{password}\n")
    keys = read_keys(tmp_path)
    content = (tmp_path / "file.minisig").read_bytes()
    signature = read_signature(content, keys, "file")
    check_signed(signature, hashlib.blake2b(b"some bytes").digest(), "file")
    assert signature.comment == "theirs"
    with pytest.raises(Refused, match="not the bytes that were signed"):
        check_signed(signature, hashlib.blake2b(b"other bytes").digest(), "file")


def test_secret_keys_that_are_none(tmp_path: Path) -> None:
    make_key(tmp_path, "one")
    for content in (b"", b"x\ny\n", (tmp_path / "one.pub").read_bytes(), b"\xff"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(WrongUse, match="is no secret key"):
            read_secret_key(tmp_path / "bad", never)
    with pytest.raises(WrongUse, match="can't be read: No such file"):
        read_secret_key(tmp_path / "nowhere", never)
    with pytest.raises(WrongUse, match="is no public key"):
        read_public_key(tmp_path / "one.key")


@pytest.mark.faults
@needs_minisign
def test_a_wrong_password_is_reported(tmp_path: Path) -> None:
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    minisign("-G", "-s", str(secret), "-p", str(public), given=f"{PASSWORD}\n{PASSWORD}\n")
    with pytest.raises(WrongUse, match="wrong password"):
        read_secret_key(secret, lambda: "another")


def test_public_keys_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"one or two public keys NAME\.pub, got 0"):
        read_keys(tmp_path)
    (tmp_path / "a.pub").write_text("x\ny\n")
    with pytest.raises(Refused, match="expected a public key of minisign"):
        read_keys(tmp_path)


def test_the_commands(models: Path, setup: Setup, tmp_path: Path) -> None:
    make_key(tmp_path, "new")
    shutil.copy(tmp_path / "new.pub", setup.paths.keys)
    shutil.copytree(models / "iris" / "1", tmp_path / "models" / "shop" / "4")
    key, out = str(tmp_path / "new.key"), str(tmp_path / "models.zip")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [*arguments])
        return done.exit_code, done.output

    package = ["package", "--target", "models", "--models", str(models), "--model", "iris"]
    code, said = run(*package, "--out", out, "--release", "5", "--sign", key)
    assert code == 0, said
    comment = (tmp_path / "models.zip.minisig").read_text().splitlines()[2].split(": ", 1)[1]
    offer = read_offer(comment, "here")
    assert (offer.kind, offer.release, offer.channel, offer.arch) == ("models", 5, "stable", "any")
    with zipfile.ZipFile(out) as archive:
        assert "models/iris/1/model.onnx" in archive.namelist()
    code, said = run("publish", out, str(tmp_path / "channel"), "--sign", key)
    assert (code, said) == (0, "models release 5: 100 % of channel stable\n")
    assert update(setup, str(tmp_path / "channel")) == ["models release 5: taken"]

    for more, why in (
        (["--sign", key], "--release: a number is missing"),
        (["--sign", key, "--release", "5", "--target", "lambda"], "--release: only device bundles"),
        (["--release", "5", "--channel", "a b", "--sign", key], "expected letters"),
        (["--release", "5", "--sign", str(tmp_path / "no")], "can't be read: No such file"),
    ):
        code, said = run(*package, "--out", out, *more)
        assert (code, why in said) == (2, True), said
