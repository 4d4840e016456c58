"""Channels: what `convert publish` lays out, and which devices take what of it."""

from __future__ import annotations

import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from onnxlet.convert.bundle.publish import (
    INDEX,
    KEPT_RELEASES,
    Folder,
    Storage,
    publish,
    record_of,
    storage_of,
)
from onnxlet.convert.bundle.sign import comment_for, read_public_key, signature_of
from onnxlet.convert.errors import PackagingFailed
from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.update.errors import Refused, Unreachable
from onnxlet.edge.update.find import bucket
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import release_of
from onnxlet.edge.update.update import update
from onnxlet.function.errors import WrongUse
from tests.edge.update.conftest import Maker, make_key, tree

Archives = Callable[[int], Path]


@pytest.fixture
def channel(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "channel")


def identity(release: int, least: int, most: int) -> str:
    """A device whose share of a release lies there."""
    ids = (str(number) for number in range(10_000))
    return next(each for each in ids if least <= bucket(each, release) < most)


def test_the_newest_release_is_taken_once(
    setup: Setup, paths: DevicePaths, archives: Archives, maker: Maker, channel: Folder
) -> None:
    for number in (3, 2):
        publish(archives(number), channel, maker.key, 100)
    source = str(channel.path)

    assert update(setup, source) == ["bundle release 3: taken"]
    assert release_of(paths.live) == 3
    assert update(setup, source) == ["nothing newer for this device"]
    assert sorted(path.name for path in channel.path.iterdir()) == sorted(
        [INDEX]
        + [
            f"onnxlet-bundle-{number}-{setup.device.arch}-{setup.device.python}.zip{ending}"
            for number in (2, 3)
            for ending in ("", ".minisig")
        ]
    )


def test_a_canary_is_taken_by_its_share_of_devices(
    setup: Setup, archives: Archives, maker: Maker, channel: Folder
) -> None:
    publish(archives(2), channel, maker.key, 100)
    publish(archives(3), channel, maker.key, 10)
    source = str(channel.path)

    early, late = identity(3, 0, 10), identity(3, 10, 100)
    assert update(setup._replace(identity=late), source) == ["bundle release 2: taken"]
    assert update(setup._replace(identity=early), source) == ["bundle release 3: taken"]
    publish(archives(4), channel, maker.key, 0)
    assert update(setup._replace(identity=early), source) == ["nothing newer for this device"]
    publish(archives(4), channel, maker.key, 100)
    assert update(setup._replace(identity=late), source) == ["bundle release 4: taken"]


def test_shares_are_fair_and_grow() -> None:
    shares = [bucket(f"device {number}", 7) for number in range(5000)]
    assert 400 < sum(share < 10 for share in shares) < 600
    assert set(shares) == set(range(100))
    both = [n for n in range(5000) if shares[n] < 10 and bucket(f"device {n}", 8) < 10]
    assert 20 < len(both) < 90, "another tenth for another release"


def test_what_is_for_others_is_passed_over(
    setup: Setup, archives: Archives, maker: Maker, channel: Folder, tmp_path: Path
) -> None:
    for number, parts in ((5, {"python": "3.1"}), (6, {"arch": "riscv64"}), (7, {"name": "pumps"})):
        copy = tmp_path / f"{number}.zip"
        shutil.copy(archives(2), copy)
        publish(maker.sign(copy, number, **parts), channel, maker.key, 100)
    publish(archives(2), channel, maker.key, 100)

    assert update(setup, str(channel.path)) == ["bundle release 2: taken"]


def test_a_release_that_failed_leaves_the_one_before_to_be_taken(
    setup: Setup, archives: Archives, maker: Maker, channel: Folder, tmp_path: Path
) -> None:
    bad = tmp_path / "9.zip"
    shutil.copy(archives(2), bad)  # its own list says 2
    publish(maker.sign(bad, 9), channel, maker.key, 100)
    publish(archives(2), channel, maker.key, 100)
    source = str(channel.path)

    with pytest.raises(Refused, match="release: expected 9, as signed, got 2"):
        update(setup, source)
    assert update(setup, source) == ["bundle release 2: taken"]


def test_an_index_that_is_altered_older_or_of_another_channel(
    setup: Setup, archives: Archives, maker: Maker, channel: Folder, tmp_path: Path
) -> None:
    source = str(channel.path)
    publish(archives(2), channel, maker.key, 0)
    old = (channel.path / INDEX).read_bytes()
    publish(archives(3), channel, maker.key, 0)
    assert update(setup, source) == ["nothing newer for this device"]
    new = json.loads((channel.path / INDEX).read_bytes())
    before = tree(setup.paths.root)

    def refused(content: bytes, why: str) -> None:
        (channel.path / INDEX).write_bytes(content)
        with pytest.raises(Refused, match=why):
            update(setup, source)
        assert tree(setup.paths.root) == before

    altered = {**new, "index": new["index"].replace('"percent": 0', '"percent": 100')}
    assert altered != new
    refused(json.dumps(altered).encode(), "not the bytes that were signed")
    refused(old, "index 1 is older than 2, which was read before")
    for text, why in (
        ('{"format": 2, "releases": []}', "expected format 1, got 2"),
        ('{"format": 1, "releases": [{"file": "x.zip"}]}', "can't read: KeyError"),
        ('{"format": 1, "releases": [{"file": "../x.zip"}]}', "expected a name beside the index"),
    ):
        refused(signed_index(text, maker), why)
    deep = "[" * 100_000 + "]" * 100_000
    refused(signed_index(deep, maker), "can't read: RecursionError")
    entry = json.loads(new["index"])["releases"][0] | {"percent": "all"}
    unread = json.dumps({"format": 1, "releases": [entry]})
    refused(signed_index(unread, maker), "can't read: TypeError")
    refused(deep.encode(), "expected a channel's index")
    refused(b"[]", "expected a channel's index")
    refused(b"{}", "expected a channel's index")
    refused(b"x" * 2_000_000, "expected at most 1048576 bytes")
    other = Folder(tmp_path / "beta")
    publish(maker.sign(archives_copy(archives, tmp_path), 2, channel="beta"), other, maker.key, 1)
    refused((other.path / INDEX).read_bytes(), "expected channel stable, got index beta")
    with pytest.raises(Unreachable, match=INDEX):
        update(setup, str(tmp_path / "nowhere"))


def signed_index(text: str, maker: Maker) -> bytes:
    """An index by the right key, whatever is in it."""
    comment = comment_for(
        kind="index", channel="stable", name="onnxlet", arch="any", python="any", release=9,
        sha256="0" * 64, size=1, unpacked=1,
    )  # fmt: skip
    signature = signature_of(text.encode(), comment, maker.key).decode()
    return json.dumps({"index": text, "signature": signature}).encode()


def archives_copy(archives: Archives, folder: Path) -> Path:
    shutil.copy(archives(2), folder / "copy.zip")
    return folder / "copy.zip"


def test_what_is_not_signed_is_not_published(
    archives: Archives, maker: Maker, channel: Folder, tmp_path: Path
) -> None:
    copy = archives_copy(archives, tmp_path)
    with pytest.raises(WrongUse, match=r"copy\.zip\.minisig beside it"):
        publish(copy, channel, maker.key, 100)
    other = make_key(tmp_path, "other")
    maker.sign(copy, 2, key=other)
    with pytest.raises(WrongUse, match="signed by another key"):
        publish(copy, channel, maker.key, 100)
    publish(copy, channel, maker.key, 100, [read_public_key(tmp_path / "other.pub")])
    with pytest.raises(PackagingFailed, match="not signed by this key"):
        publish(copy, channel, other, 100)
    copy.write_bytes(copy.read_bytes() + b"x")
    with pytest.raises(WrongUse, match="not what was signed"):
        publish(copy, channel, other, 100)


def number_of(channel: Folder) -> int:
    reported = json.loads((channel.path / INDEX).read_bytes())["signature"]
    return int(reported.partition("release=")[2].split()[0])


def test_an_earlier_index_that_was_put_back_is_not_gone_on_from(
    archives: Archives, maker: Maker, channel: Folder, tmp_path: Path
) -> None:
    """Devices have read later ones; and what was withdrawn since would be offered again."""
    record = record_of(tmp_path / "one.key", str(channel.path))
    kept = []
    for number, percent in ((2, 100), (2, 0), (3, 100)):
        publish(archives(number), channel, maker.key, percent, record=record)
        kept.append((channel.path / INDEX).read_bytes())
    assert (number_of(channel), record.number(3)) == (3, 3)

    for earlier in (kept[0], None):
        (channel.path / INDEX).unlink()
        if earlier:
            (channel.path / INDEX).write_bytes(earlier)
        with pytest.raises(PackagingFailed, match=r"number [01], and number 3 was published") as c:
            publish(archives(4), channel, maker.key, 100, record=record)
        assert "--earlier-index" in c.value.hint
    publish(archives(4), channel, maker.key, 100, record=record, go_on=True)
    assert (number_of(channel), record.number(4)) == (4, 4), "it never falls"
    (channel.path / INDEX).write_bytes(kept[-1])
    with pytest.raises(PackagingFailed, match="number 3, and number 4"):
        publish(archives(4), channel, maker.key, 100, record=record)

    other = Folder(tmp_path / "other")
    publish(
        archives(2), other, maker.key, 1, record=record_of(tmp_path / "one.key", str(other.path))
    )
    assert json.loads((tmp_path / "one.key.published").read_text()) == {
        str(channel.path.resolve()): {"published": 4, "begun": 4},
        str(other.path.resolve()): {"published": 1, "begun": 1},
    }  # fmt: skip
    nowhere = record_of(tmp_path / "nowhere" / "one.key", str(other.path))
    reported = publish(archives(3), other, maker.key, 1, record=nowhere)
    assert reported.endswith(
        f"its number, 2, is not noted in {nowhere.file}: No such file or directory"
    )
    (tmp_path / "one.key.published").write_text("[1]")
    with pytest.raises(PackagingFailed, match=r"one\.key\.published can't be read"):
        publish(archives(4), channel, maker.key, 100, record=record)


class Failing(NamedTuple):
    """A channel whose network goes away before the index is there, or once it is."""

    channel: Folder
    arrives: bool

    def read(self, name: str) -> bytes | None:
        return self.channel.read(name)

    def write(self, name: str, content: bytes) -> None:
        if name != INDEX or self.arrives:
            self.channel.write(name, content)
        if name == INDEX:
            raise OSError("the network is gone")


@pytest.mark.parametrize(("arrives", "number"), [(False, 3), (True, 3)])
def test_an_upload_that_fails_is_tried_again(
    archives: Archives, maker: Maker, channel: Folder, tmp_path: Path, arrives: bool, number: int
) -> None:
    record = record_of(tmp_path / "one.key", str(channel.path))
    publish(archives(2), channel, maker.key, 100, record=record)
    first = (channel.path / INDEX).read_bytes()
    with pytest.raises(OSError, match="the network is gone"):
        publish(archives(3), Failing(channel, arrives), maker.key, 100, record=record)
    publish(archives(3), channel, maker.key, 100, record=record)

    assert number_of(channel) == (2 if not arrives else number)
    (channel.path / INDEX).write_bytes(first)
    with pytest.raises(PackagingFailed, match="has put an earlier one back"):
        publish(archives(4), channel, maker.key, 100, record=record)


def test_an_index_of_another_form_is_refused(
    archives: Archives, maker: Maker, channel: Folder
) -> None:
    channel.path.mkdir()
    for content in (b"[" * 100_000, b"[]", b"{}", b'{"index": 1, "signature": 2}'):
        (channel.path / INDEX).write_bytes(content)
        with pytest.raises(PackagingFailed, match="not signed by this key"):
            publish(archives(2), channel, maker.key, 100)


def test_readers_never_see_an_index_before_its_archives(
    archives: Archives, maker: Maker, channel: Folder
) -> None:
    order: list[str] = []

    class Watched:
        def read(self, name: str) -> bytes | None:
            return channel.read(name)

        def write(self, name: str, content: bytes) -> None:
            order.append(name)
            channel.write(name, content)

    storage: Storage = Watched()
    publish(archives(2), storage, maker.key, 100)
    assert [name.rpartition(".")[2] for name in order] == ["zip", "minisig", "json"]


def test_old_releases_leave_the_index(maker: Maker, channel: Folder, tmp_path: Path) -> None:
    for number in range(1, KEPT_RELEASES + 4):
        file = tmp_path / "x.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x", str(number))
        publish(maker.sign(file, number), channel, maker.key, 100)
    reported = json.loads(json.loads((channel.path / INDEX).read_bytes())["index"])
    numbers = [entry["comment"].split("release=")[1].split()[0] for entry in reported["releases"]]
    assert numbers == [str(number) for number in range(KEPT_RELEASES + 3, 3, -1)]


def test_a_bucket(archives: Archives, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 as far as it is used here; it is in no environment of these tests."""
    with pytest.raises(WrongUse, match="there is no boto3 here"):
        storage_of("s3://bucket/pumps")
    kept: dict[str, bytes] = {}

    class Client:
        exceptions = SimpleNamespace(NoSuchKey=KeyError)

        def get_object(self, **what: Any) -> dict[str, Any]:
            return {"Body": io.BytesIO(kept[what["Key"]])}

        def put_object(self, **what: Any) -> None:
            kept[what["Key"]] = what["Body"]

    boto3 = ModuleType("boto3")
    boto3.client = lambda name: Client()  # type: ignore[attr-defined] # made here
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    for number in (2, 3):
        publish(archives(number), storage_of("s3://bucket/pumps/"), maker.key, 100)

    assert len(kept) == 5
    assert set(kept) > {f"pumps/{INDEX}"}
    with pytest.raises(WrongUse, match="expected a folder or s3"):
        storage_of("https://example.com/")
