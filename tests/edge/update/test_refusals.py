"""Archives that are refused, and what is on the card afterwards: the same as before."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle.sign import signature_of
from onnxlet.edge.device.slots import live_slot
from onnxlet.edge.update import update as module
from onnxlet.edge.update.errors import Failed, Refused, Unreachable
from onnxlet.edge.update.find import Offer
from onnxlet.edge.update.history import MOST_ATTEMPTS, Attempt, History, read_history, write_history
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.unpack import ArchiveEntry, _write, check_and_unpack
from onnxlet.edge.update.update import update
from tests.convert.bundle.conftest import ARCH, PYTHON
from tests.edge.update.conftest import Maker, make_key, tree

Archives = Callable[[int], Path]
LINK, DEVICE = 0o120777 << 16, 0o060644 << 16


@pytest.fixture
def good(archives: Archives, tmp_path: Path) -> Path:
    """A copy of release 2 and its signature, which a test may spoil."""
    for name in ("2.zip", "2.zip.minisig"):
        shutil.copy(archives(2).with_name(name), tmp_path / name)
    return tmp_path / "2.zip"


def refused(setup: Setup, archive: Path, why: str) -> Refused:
    before = tree(setup.paths.root)
    with pytest.raises(Refused, match=why) as caught:
        update(setup, str(archive))
    assert tree(setup.paths.root) == before
    return caught.value


def test_a_byte_that_is_another(setup: Setup, good: Path) -> None:
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 1
    good.write_bytes(content)
    refused(setup, good, "expected sha256")


def test_one_that_is_cut_short(setup: Setup, good: Path) -> None:
    good.write_bytes(good.read_bytes()[:-1])
    before = tree(setup.paths.data, "download")
    with pytest.raises(Unreachable, match="it ended after"):
        update(setup, str(good))
    assert tree(setup.paths.data, "download") == before


def test_one_that_is_longer(setup: Setup, good: Path) -> None:
    good.write_bytes(good.read_bytes() + b"\0")
    refused(setup, good, "as signed, got more")


@pytest.mark.parametrize(
    ("line", "find", "put", "why"),
    [
        (2, "release=2", "release=9", "its trusted comment was altered"),
        (3, "", "AAAA", "expected a signature of minisign"),
        (3, None, "A" * 86 + "==", "its trusted comment was altered"),
        (1, "RU", "RW", "expected a prehashed signature|expected a signature"),
        (2, "trusted comment: ", "", "expected a signature of minisign"),
    ],
)
def test_a_signature_that_was_altered(
    setup: Setup, good: Path, line: int, find: str | None, put: str, why: str
) -> None:
    signature = good.with_name("2.zip.minisig")
    lines = signature.read_text().splitlines()
    lines[line] = put if find is None else lines[line].replace(find, put, 1)
    signature.write_text("\n".join(lines) + "\n")
    refused(setup, good, why)


def test_bytes_under_the_comment_of_others(
    setup: Setup, maker: Maker, good: Path, tmp_path: Path
) -> None:
    """The comment is signed and right, and the signature is of another file."""
    comment = good.with_name("2.zip.minisig").read_text().splitlines()[2]
    other = signature_of(b"other", comment.removeprefix("trusted comment: "), maker.key)
    good.with_name("2.zip.minisig").write_bytes(other)
    refused(setup, good, "not the bytes that were signed")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"channel": "beta"}, "for channel beta, and this device has stable"),
        ({"name": "pumps"}, "for name pumps, and this device has onnxlet"),
        ({"arch": "riscv64"}, f"for architecture riscv64, and this device has {ARCH}"),
        ({"python": "3.1"}, f"for Python 3.1, and this device has {PYTHON}"),
        ({"arch": "any"}, "for architecture any"),
        ({"kind": "index"}, "expected a bundle or models, got index"),
        ({"kind": "firmware"}, "kind: expected"),
        ({"channel": "a b"}, "channel|parts"),
    ],
)
def test_releases_that_are_for_others(
    setup: Setup, maker: Maker, good: Path, parts: dict[str, Any], why: str
) -> None:
    refused(setup, maker.sign(good, 2, **parts), why)


def test_all_faults_are_reported(setup: Setup, maker: Maker, good: Path) -> None:
    error = refused(setup, maker.sign(good, 1, channel="beta", name="pumps"), "channel beta")
    assert "name pumps" in error.message
    assert "expected a number above 1, the highest" in error.message


def test_another_key(setup: Setup, maker: Maker, good: Path, tmp_path: Path) -> None:
    maker.sign(good, 2, key=make_key(tmp_path, "other"))
    refused(setup, good, "signed by key")


def test_older_ones(setup: Setup, archives: Archives, good: Path) -> None:
    assert update(setup, str(archives(3))) == ["bundle release 3: taken"]
    assert update(setup, str(archives(3))) == ["nothing newer for this device"]
    refused(setup, good, "expected a number above 3")
    shutil.rmtree(setup.paths.slot("b"))  # the number stays when the slot is away
    setup.paths.live.unlink()
    setup.paths.live.symlink_to("a")
    refused(setup, good, "expected a number above 3")


def test_a_size_beyond_the_limit(setup: Setup, good: Path) -> None:
    small = setup.device._replace(max_bytes=10_000, max_unpacked=20_000)
    error = refused(setup._replace(device=small), good, "its archive: expected at most 10000 bytes")
    assert "its files: expected at most 20000 bytes" in error.message


def entry(name: str, content: bytes, attributes: int = 0o100644 << 16) -> tuple[Any, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = attributes
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, content


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (entry("../../escaped", b"x"), "not a path inside"),
        (entry("/etc/escaped", b"x"), "not a path inside"),
        (entry("onnxlet/../../escaped", b"x"), "not a path inside"),
        (entry("a\\b", b"x"), "not a path inside"),
        (entry("a/./b", b"x"), "not a path inside"),
        (entry("folder/", b""), "not a path inside"),
        (entry("a\nb", b"x"), "not a path inside"),
        (entry("link", b"/etc/passwd", LINK), "a link or device, not a file"),
        (entry("device", b"", DEVICE), "a link or device, not a file"),
        (entry("onnxlet/function/app.py", b"x"), "twice"),
        (entry("onnxlet/function/app.py/x", b"x"), "a file and a folder"),
        (entry("sitecustomize.py", b"x"), "sitecustomize.py: not on its list"),
    ],
)
def test_entries_that_no_archive_has(
    setup: Setup, maker: Maker, good: Path, extra: tuple[Any, bytes], why: str
) -> None:
    """All of it signed by the right key: neither the signer nor the builder is believed."""
    twice = pytest.warns(UserWarning, match="Duplicate") if why == "twice" else nullcontext()
    with twice, zipfile.ZipFile(good, "a") as archive:
        archive.writestr(*extra)
    spoilt(setup, maker.sign(good, 2), why)


def spoilt(setup: Setup, archive: Path, why: str) -> None:
    """It is signed and refused: one thing is remembered, not to fetch it again."""
    before = tree(setup.paths.root, "var/lib/onnxlet/updates.json")
    outside = set(setup.paths.root.parent.iterdir())
    with pytest.raises(Refused, match=why):
        update(setup, str(archive))
    assert tree(setup.paths.root, "var/lib/onnxlet/updates.json") == before
    assert set(setup.paths.root.parent.iterdir()) == outside
    with pytest.raises(Refused, match="it was given up here"):
        update(setup, str(archive))


def rewritten(good: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda files: files.pop("onnxlet/function/app.py"), "onnxlet/function/app.py: missing"),
        (
            lambda files: files.update({"onnxlet/function/app.py": b"x"}),
            "app.py: not the file that is on",
        ),
        (lambda files: files.pop("device.json"), "device.json can't be read"),
        (lambda files: files.update({"bundle.json": b"["}), "bundle.json can't be read"),
        (lambda files: files.update({"bundle.json": b"[]"}), "bundle.json can't be read"),
        (
            lambda files: files.update(
                {"device.json": files["device.json"].replace(b'"release": 2', b'"release": 7')}
            ),
            "release: expected 2, as signed, got 7",
        ),
        (
            lambda files: files.update(
                {"bundle.json": files["bundle.json"].replace(PYTHON.encode(), b"9.9")}
            ),
            "python: expected",
        ),
    ],
)
def test_lists_that_are_not_kept(
    setup: Setup, maker: Maker, good: Path, change: Callable[[dict[str, bytes]], None], why: str
) -> None:
    rewritten(good, change)
    spoilt(setup, maker.sign(good, 2), why)


def test_a_bomb(setup: Setup, maker: Maker, good: Path) -> None:
    """Its directory, lists and signature declare ten bytes; far more would be unpacked."""
    bomb = bytes(50_000_000)

    def add(files: dict[str, bytes]) -> None:
        reported = json.loads(files["device.json"])
        reported["files"]["bomb"] = hashlib.sha256(bomb).hexdigest()
        files |= {"bomb": bomb, "device.json": json.dumps(reported).encode()}

    rewritten(good, add)
    small = bytearray(good.read_bytes())
    for start, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        found = small.rindex(
            start, 0, small.rindex(b"bomb") if place == 24 else small.index(b"bomb")
        )
        small[found + place : found + place + 4] = struct.pack("<I", 10)
    good.write_bytes(small)
    with zipfile.ZipFile(good) as archive:
        assert archive.getinfo("bomb").file_size == 10
    spoilt(setup, maker.sign(good, 2), "archive is broken|not the file that is on its list")


def test_no_more_is_written_than_is_declared(maker: Maker, good: Path, tmp_path: Path) -> None:

    rewritten(good, lambda files: files.update({"big": bytes(5_000_000)}))
    offer = Offer("bundle", "stable", "onnxlet", ARCH, PYTHON, 2, "0" * 64, 1, 1)
    with zipfile.ZipFile(good) as archive:
        info = archive.getinfo("big")
        info.file_size = 1000
        with pytest.raises((Refused, zipfile.BadZipFile)):
            _write(archive, ArchiveEntry(info, None), tmp_path / "out", offer)
    assert (tmp_path / "out").stat().st_size <= 1000


def signed_as(archive: Path, maker: Maker, **parts: object) -> Path:
    """Sign an archive with a comment that says something else of it."""
    signature = archive.with_name(f"{archive.name}.minisig")
    comment = signature.read_text().splitlines()[2].removeprefix("trusted comment: ")
    words = dict(part.split("=") for part in comment.split(" ")[1:]) | parts
    text = " ".join(["onnxlet", *(f"{name}={value}" for name, value in words.items())])
    signature.write_bytes(signature_of(archive.read_bytes(), text, maker.key))
    return archive


def test_files_of_another_size_than_was_signed(setup: Setup, maker: Maker, good: Path) -> None:
    spoilt(setup, signed_as(good, maker, unpacked=1234), "expected 1234 bytes unpacked, as signed")


@pytest.mark.parametrize("name", ["edge/x.py", "models/other/1/x", "models/iris/2/x"])
def test_a_model_only_archive_has_nothing_else(
    setup: Setup, maker: Maker, tmp_path: Path, name: str
) -> None:
    """Listed, with its hash, and signed: it is still of no model of the archive."""
    files = {name: hashlib.sha256(b"x").hexdigest()}
    reported = {"format": 1, "release": 2, "models": {"iris": 1}, "files": files}
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("models.json", json.dumps(reported))
        archive.writestr(name, b"x")
    spoilt(setup, maker.sign(tmp_path / "m.zip", 2, kind="models"), f"{name}: not of a model")


@pytest.mark.parametrize("content", [b"\n", b"PK", b"not a zip at all" * 100])
def test_what_is_no_archive(setup: Setup, maker: Maker, good: Path, content: bytes) -> None:
    good.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    spoilt(setup, signed_as(good, maker, sha256=digest, size=len(content)), "archive is broken")


def test_a_release_that_never_comes_to_its_end_is_given_up(setup: Setup, good: Path) -> None:
    """The power failed, or the release brought it down: some times are enough."""
    cut_off = History(attempt=Attempt("bundle", 2, MOST_ATTEMPTS))
    write_history(setup.paths, cut_off)
    with pytest.raises(Refused, match=f"it was cut off {MOST_ATTEMPTS} times"):
        update(setup, str(good))
    assert read_history(setup.paths).attempt is None


def test_a_full_card_is_no_fault_of_the_release(
    setup: Setup, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(archive: Path, folder: Path, offer: Any) -> Any:
        folder.mkdir()
        (folder / "part").write_bytes(b"x")
        raise OSError(28, "No space left on device", str(folder / "part"))

    monkeypatch.setattr(module, "check_and_unpack", full)
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(Failed, match=r"\.incoming/part: No space left on device"):
            update(setup, str(good))
    assert not (setup.paths.data / ".incoming").exists()
    monkeypatch.setattr(module, "check_and_unpack", check_and_unpack)
    assert update(setup, str(good)) == ["bundle release 2: taken"]
    assert live_slot(setup.paths) == "b"


def test_a_broken_history_is_reported(setup: Setup, good: Path) -> None:
    (setup.paths.data / "updates.json").write_text("{")
    refused(setup, good, "updates.json can't be read")


def test_files_that_were_not_copied_whole(setup: Setup, good: Path) -> None:
    signature = good.with_name("2.zip.minisig")
    content = signature.read_bytes()
    signature.unlink()
    with pytest.raises(Unreachable, match="minisig is not there") as lacking:
        update(setup, str(good))
    assert lacking.value.hint.endswith("copy both, 2.zip and 2.zip.minisig.")
    with pytest.raises(Unreachable, match="zip is not there"):
        update(setup, str(good.with_name("3.zip")))
    signature.write_bytes(content)
    good.write_bytes(good.read_bytes()[:-1000])
    with pytest.raises(Unreachable, match="it ended after") as short:
        update(setup, str(good))
    assert "copy it here again" in short.value.hint


def test_ctrl_c_is_no_attempt_that_failed(
    setup: Setup, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("onnxlet.edge.update.update.check_and_unpack", unpack)
        for _ in range(6):
            with pytest.raises(KeyboardInterrupt):
                update(setup, str(archives(2)))
    history = read_history(setup.paths)
    assert (history.attempt, history.broken) == (None, {})
    assert update(setup, str(archives(2))) == ["bundle release 2: taken"]


def test_an_accepted_release_that_does_not_serve(setup: Setup, archives: Archives) -> None:
    """As after a bundle was installed by hand."""
    write_history(setup.paths, History({"bundle": 2}))
    [said] = update(setup, str(archives(2)))
    assert "release 2 was accepted before, and release 1 is live. A higher number" in said
