"""The parts that an image is made of: packages read, libraries found, layers and file written."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.bundle import image_debian, image_system
from onnxlet.convert.bundle.image_debian import signed_only
from onnxlet.convert.bundle.image_layer import (
    RUNNABLE,
    Entries,
    Layer,
    LayerEntry,
    created_at,
    folder,
    image_config,
    link,
    write_layer,
    write_layout,
)
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.errors import PackagingFailed
from onnxlet.function.errors import WrongUse
from tests.conftest import lacking

LOADER = "/lib64/ld-linux-x86-64.so.2"
MACHINE = Machine("3.13", "x86_64")
TODAY = {"SOURCE_DATE_EPOCH": "1796115600"}


def elf(*names: str, loader: str = "") -> bytes:
    """An ELF file that asks for libraries: one segment that is loaded 0x1000 bytes further on."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in (*names, loader))
    starts = [strings.index(name.encode() + b"\0") for name in names]
    head, segments = 64, 56 * (3 if loader else 2)
    place = head + segments
    entries = [(1, start) for start in starts] + [(5, 0x1000 + place), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    whole = place + len(strings) + len(dynamic)
    table = [(1, 0, 0x1000, whole), (2, place + len(strings), 0, len(dynamic))]
    if loader:
        table.append((3, place + strings.index(loader.encode()), 0, len(loader) + 1))
    packed = [struct.pack("<IIQQQQQQ", k, 0, o, a, 0, size, 0, 0) for k, o, a, size in table]
    header = image_system.MAGIC.ljust(32, b"\0") + struct.pack("<Q", head)
    header += bytes(14) + struct.pack("<HH", 56, len(table))
    return header.ljust(head, b"\0") + b"".join(packed) + strings + dynamic


def test_what_a_file_asks_for() -> None:
    content = elf("libm.so.6", "libc.so.6", loader=LOADER)
    assert image_system.needed(content) == ["libm.so.6", "libc.so.6"]
    assert image_system.interpreter(content) == LOADER
    assert image_system.interpreter(elf("libc.so.6")) is None
    assert image_system.needed(elf()) == []
    assert not image_system.is_elf(b"#!/bin/sh\n")


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
@pytest.mark.parametrize("package", [np, pytest], ids=["NumPy", "Python"])
def test_what_real_files_ask_for_is_what_the_loader_loads(package: Any) -> None:
    files = [Path(sys.executable).resolve()]
    if package is np:
        files = sorted(Path(np.__file__).parent.rglob("*.so"))[:5]
        assert len(files) == 5
    for file in files:
        shown = subprocess.run(["ldd", str(file)], capture_output=True, text=True).stdout
        paths = dict(re.findall(r"(\S+) => (.+) \(0x", shown))
        found: set[str] = set()
        waiting = [file.read_bytes()]
        while waiting:
            for name in image_system.needed(waiting.pop()):
                if name in paths and name not in found:
                    found.add(name)
                    waiting.append(Path(paths[name]).read_bytes())
        assert found == {name for name in paths if not name.startswith("linux-vdso")}, file


def package(name: str, files: Entries) -> image_debian.Deb:
    return image_debian.Deb(name, "1.0", f"Package: {name}\nVersion: 1.0\n", files)


TRIPLET = "usr/lib/x86_64-linux-gnu"
DOC = "usr/share/doc"


def debian() -> list[image_debian.Deb]:
    """A small Debian: each kind of thing that is chosen or not."""
    copyright_ = LayerEntry(b"see /usr/share/common-licenses/GPL.")
    return [
        package("python3.13-minimal", {
            "usr/bin/python3.13": LayerEntry(
                elf("libz.so.1", "libc.so.6", loader=LOADER), RUNNABLE
            ),
            "usr/lib/python3.13/os.py": LayerEntry(b"import sys\n"),
            "usr/lib/python3.13/turtle.py": LayerEntry(b""),
            "usr/lib/python3.13/lib-dynload/_dbm.so": LayerEntry(elf("libdb.so")),
            f"{DOC}/python3.13-minimal": link("libc6"),
        }),
        package("libc6", {
            f"{TRIPLET}/libc.so.6": LayerEntry(elf("ld-linux-x86-64.so.2"), RUNNABLE),
            f"{TRIPLET}/ld-linux-x86-64.so.2": LayerEntry(elf(), RUNNABLE),
            "usr/lib64/ld-linux-x86-64.so.2": link("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            "usr/bin/sh": LayerEntry(b"", RUNNABLE),
            f"{DOC}/libc6/copyright": copyright_,
        }),
        package("zlib1g", {
            f"{TRIPLET}/libz.so.1": link("libz.so.1.3"),
            f"{TRIPLET}/libz.so.1.3": LayerEntry(elf("libc.so.6")),
            f"{DOC}/zlib1g/copyright": LayerEntry(b"zlib"),
        }),
        package("libdb", {
            f"{TRIPLET}/libdb.so": LayerEntry(elf()),
            f"{DOC}/libdb/copyright": LayerEntry(),
        }),
        package("base-files", {
            "usr/lib/os-release": LayerEntry(b"ID=debian\n"),
            "etc/os-release": link("../usr/lib/os-release"),
            "usr/share/common-licenses/GPL": link("GPL-3"),
            "usr/share/common-licenses/GPL-3": LayerEntry(b"the text"),
            "usr/share/common-licenses/MPL-2.0": LayerEntry(b"another"),
        }),
        package("ca-certificates", {
            "usr/share/ca-certificates/mozilla/B.crt": LayerEntry(b"b\n"),
            "usr/share/ca-certificates/mozilla/A.crt": LayerEntry(b"a\n"),
        }),
    ]  # fmt: skip


def test_what_is_chosen() -> None:
    own = {"x/_multiarray.so": elf("own.so"), "x/own.so": elf()}
    entries, packages = image_system.choose("3.13", debian(), own)

    of_debian = {path for path in entries if path.startswith("usr/")}
    assert of_debian == {
        "usr/bin/python3.13", "usr/lib/python3.13/os.py", "usr/lib/os-release", "usr/sbin",
        f"{TRIPLET}/libc.so.6", f"{TRIPLET}/libz.so.1", f"{TRIPLET}/libz.so.1.3",
        f"{TRIPLET}/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2",
        f"{DOC}/python3.13-minimal", f"{DOC}/libc6/copyright", f"{DOC}/zlib1g/copyright",
        "usr/share/common-licenses/GPL", "usr/share/common-licenses/GPL-3",
        "usr/lib/ssl/cert.pem",
    }  # fmt: skip
    used = {"base-files", "ca-certificates", "libc6", "python3.13-minimal", "zlib1g"}
    assert packages == dict.fromkeys(sorted(used), "1.0")
    assert {p.rsplit("/", 1)[1] for p in entries if p.startswith("var/lib/dpkg/")} == used
    assert entries["etc/ssl/certs/ca-certificates.crt"] == LayerEntry(b"a\nb\n")
    assert entries["lib64"] == link("usr/lib64")
    assert entries["tmp"] == folder(0o1777)


def test_libraries_that_nothing_brings_are_all_named() -> None:
    lost = {"x/_imaging.so": elf("libjpeg.so.8", "libtiff.so.6", "libc.so.6")}
    with pytest.raises(PackagingFailed) as caught:
        image_system.choose("3.13", debian(), lost)
    assert caught.value.message.endswith(
        "packages here: libjpeg.so.8 (for x/_imaging.so), libtiff.so.6 (for x/_imaging.so)"
    )


def test_a_package_is_read(tmp_path: Path) -> None:
    if not shutil.which("dpkg-deb"):
        lacking("needs dpkg-deb, which Debian has")
    root = tmp_path / "root"
    for name in ("DEBIAN", "lib/x86_64-linux-gnu", "usr/bin"):
        (root / name).mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: some\nVersion: 1:2.0-3\nArchitecture: amd64\nMaintainer: Me <me@example.com>\n"
        "Description: short\n longer: with a colon\n"
    )
    (root / "lib" / "x86_64-linux-gnu" / "some.so.1").write_bytes(b"content")
    (root / "lib" / "x86_64-linux-gnu" / "some.so.1").chmod(0o600)  # all may read what is there
    (root / "lib" / "x86_64-linux-gnu" / "some.so").symlink_to("some.so.1")
    (root / "usr" / "bin" / "some").write_bytes(b"#!")
    (root / "usr" / "bin" / "some").chmod(0o4711)  # no such right is passed on
    (root / "usr" / "bin" / "again").hardlink_to(root / "usr" / "bin" / "some")
    file = tmp_path / "some.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(file)], check=True)

    deb = image_debian.read(file)
    assert (deb.name, deb.version) == ("some", "1:2.0-3")
    assert deb.files == {
        "usr/lib/x86_64-linux-gnu/some.so.1": LayerEntry(b"content"),
        "usr/lib/x86_64-linux-gnu/some.so": link("some.so.1"),
        "usr/bin/some": LayerEntry(b"#!", RUNNABLE),
        "usr/bin/again": LayerEntry(b"#!", RUNNABLE),
    }
    file.write_bytes(b"none")
    with pytest.raises(PackagingFailed, match=r"some\.deb is no package: "):
        image_debian.read(file)


LINES = """\
# deb http://commented.example stable main
deb http://one.example stable main
deb [trusted=yes] http://two.example ./
deb [arch=amd64 signed-by=/k.gpg] http://three.example stable main
deb-src http://four.example stable main
deb\t[ signed-by=/k.gpg trusted=yes ] http://five.example ./
"""
PARAGRAPHS = """\
# Debian
Types: deb
URIs: http://one.example
Suites: stable

Types: deb
URIs: file:/two
Suites: ./
Trusted: yes

Types: deb
Enabled: no
URIs: http://three.example
\t
Types: deb
URIs: http://four.example
architectures: amd64
Suites: stable
Trusted: no
"""


def test_sources_that_are_trusted_unsigned_are_not_asked() -> None:
    assert signed_only(LINES, ".list") == (
        "deb http://one.example stable main\n"
        "deb [ signed-by=/k.gpg] http://three.example stable main\n"
    )
    assert signed_only(PARAGRAPHS, ".sources") == (
        "Types: deb\nURIs: http://one.example\nSuites: stable\n\n"
        "Types: deb\nURIs: http://four.example\nSuites: stable\nTrusted: no\n\n"
    )


def written(tmp_path: Path, name: str = "layer", **more: LayerEntry) -> Layer:
    (tmp_path / "content").write_bytes(b"of a file")
    entries: Entries = {
        "opt/onnxlet/b": LayerEntry(tmp_path / "content"),
        "opt/onnxlet/a": LayerEntry(b"abc", RUNNABLE),
        "opt/link": link("onnxlet/a"),
        "tmp": folder(0o1777),
        "var/state": folder(0o775, owner=65532),
        **more,
    }
    return write_layer(name, entries, tmp_path / f"{name}.tar.gz", lambda size: None)


def test_a_layer(tmp_path: Path) -> None:
    layer = written(tmp_path)
    packed = layer.file.read_bytes()
    unpacked = gzip.decompress(packed)

    assert layer.digest == hashlib.sha256(packed).hexdigest()
    assert layer.diff == hashlib.sha256(unpacked).hexdigest()
    assert (layer.size, layer.unpacked) == (len(packed), 12)
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as tar:
        members = tar.getmembers()
        told = {m.name: (m.type, m.mode, m.uid, m.linkname) for m in members}
        assert tar.extractfile("opt/onnxlet/b").read() == b"of a file"  # type: ignore[union-attr]
    assert [m.name for m in members] == sorted(told)
    assert {(m.mtime, m.gid, m.uname) for m in members} == {(315_532_800, 0, "")}
    assert told == {
        "opt": (tarfile.DIRTYPE, 0o755, 0, ""),
        "opt/link": (tarfile.SYMTYPE, 0o777, 0, "onnxlet/a"),
        "opt/onnxlet": (tarfile.DIRTYPE, 0o755, 0, ""),
        "opt/onnxlet/a": (tarfile.REGTYPE, 0o755, 0, ""),
        "opt/onnxlet/b": (tarfile.REGTYPE, 0o644, 0, ""),
        "tmp": (tarfile.DIRTYPE, 0o1777, 0, ""),
        "var": (tarfile.DIRTYPE, 0o755, 0, ""),
        "var/state": (tarfile.DIRTYPE, 0o775, 65532, ""),
    }
    assert written(tmp_path, "again").digest == layer.digest
    assert written(tmp_path, "another", x=LayerEntry(b"x")).digest != layer.digest


def test_the_file_of_an_image(tmp_path: Path) -> None:
    layers = [written(tmp_path, "one"), written(tmp_path, "two", x=LayerEntry(b"x"))]
    config = image_config(MACHINE, layers, {"Cmd": ["serve"]}, created_at({}))
    digest = write_layout(tmp_path / "image.tar", "some:7", config, layers, {"note": "text"})
    with tarfile.open(tmp_path / "image.tar") as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]

    named = {path: content for path, content in files.items() if path.startswith("blobs/sha256/")}
    assert {f"blobs/sha256/{hashlib.sha256(c).hexdigest()}": c for c in named.values()} == named
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    manifest = named[f"blobs/sha256/{digest}"]
    oci = "application/vnd.oci.image"
    assert json.loads(files["index.json"]) == {
        "schemaVersion": 2,
        "mediaType": f"{oci}.index.v1+json",
        "manifests": [
            {
                "mediaType": f"{oci}.manifest.v1+json",
                "digest": f"sha256:{digest}",
                "size": len(manifest),
                "platform": {"architecture": "amd64", "os": "linux"},
                "annotations": {
                    "org.opencontainers.image.ref.name": "some:7",
                    "io.containerd.image.name": "some:7",
                },
            }
        ],
    }
    config_digest = hashlib.sha256(config).hexdigest()
    assert json.loads(manifest) == {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": {
            "mediaType": f"{oci}.config.v1+json",
            "digest": f"sha256:{config_digest}",
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": f"{oci}.layer.v1.tar+gzip",
                "digest": f"sha256:{layer.digest}",
                "size": layer.size,
            }
            for layer in layers
        ],
        "annotations": {"note": "text"},
    }
    assert json.loads(files["manifest.json"]) == [
        {
            "Config": f"blobs/sha256/{config_digest}",
            "RepoTags": ["some:7"],
            "Layers": [f"blobs/sha256/{layer.digest}" for layer in layers],
        }
    ]
    told = json.loads(named[f"blobs/sha256/{config_digest}"])
    assert told["rootfs"] == {
        "type": "layers", "diff_ids": [f"sha256:{layer.diff}" for layer in layers]
    }  # fmt: skip
    assert (told["created"], told["architecture"]) == ("1980-01-01T00:00:00Z", "amd64")
    assert [each["comment"] for each in told["history"]] == ["one", "two"]
    arm = json.loads(image_config(Machine("3.13", "aarch64"), layers, {}, created_at(TODAY)))
    assert (arm["architecture"], arm["variant"]) == ("arm64", "v8")
    dates = {arm["created"], *(each["created"] for each in arm["history"])}
    assert dates == {"2026-12-01T09:00:00Z"}
    assert arm["rootfs"] == told["rootfs"]  # layers stay as they are, and are not pushed again


@pytest.mark.parametrize("text", ["today", "-1", "1.5", "9" * 12, "2026-12-01"])
def test_a_date_that_is_none(text: str) -> None:
    with pytest.raises(WrongUse, match="SOURCE_DATE_EPOCH: expected seconds since 1970"):
        created_at({"SOURCE_DATE_EPOCH": text})
    assert created_at({"SOURCE_DATE_EPOCH": ""}) == "1980-01-01T00:00:00Z"
