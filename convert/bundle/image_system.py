"""The system of an image: Python, the libraries that it and the bundle load, and nothing else.

No shell, no package manager, no program but Python. Libraries are found by what the files ask for,
so that none is missing and none is there for nothing. The form of these files is that of the System
V ABI, "Object files", in its 64-bit little-endian kind, which both architectures have.
"""

from __future__ import annotations

import posixpath
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from onnxlet.convert.bundle.image_debian import Deb
from onnxlet.convert.bundle.image_layer import USER, Entries, LayerEntry, folder, link
from onnxlet.convert.bundle.stripping import Rule
from onnxlet.convert.errors import PackagingFailed

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3  # types of segments
NEEDED, STRINGS = 1, 5  # tags of a dynamic section


class Segment(NamedTuple):
    """One part of a file, as it is loaded."""

    kind: int
    offset: int
    address: int
    size: int


def is_elf(content: bytes) -> bool:
    """Whether it is a program or a library that these functions read."""
    return content.startswith(MAGIC)


def needed(content: bytes) -> list[str]:
    """The names of the libraries that the loader has to find for it, in its order."""
    segments = _segments(content)
    dynamic = next((each for each in segments if each.kind == DYNAMIC), None)
    if dynamic is None:  # it is linked statically
        return []
    entries = [
        struct.unpack_from("<qQ", content, dynamic.offset + place)
        for place in range(0, dynamic.size, 16)
    ]
    strings = next(value for tag, value in entries if tag == STRINGS)
    loaded = next(
        each for each in segments if each.kind == LOAD and 0 <= strings - each.address < each.size
    )
    start = strings - loaded.address + loaded.offset
    return [_text(content, start + value) for tag, value in entries if tag == NEEDED]


def interpreter(content: bytes) -> str | None:
    """The loader that a program names; None for a library."""
    found = next((each for each in _segments(content) if each.kind == INTERPRETER), None)
    return _text(content, found.offset) if found else None


def _segments(content: bytes) -> list[Segment]:
    # Where their table is, the bytes of an entry, and the number of them.
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, number = struct.unpack_from("<HH", content, 54)
    found = []
    for at in range(offset, offset + number * size, size):
        kind, _, place, address, _, length = struct.unpack_from("<IIQQQQ", content, at)
        found.append(Segment(kind, place, address, length))
    return found


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode()


CERTIFICATES = "usr/share/ca-certificates/mozilla/*.crt"
BUNDLED_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
STATUS = "var/lib/dpkg/status.d"  # where scanners of images without dpkg look
LICENCES = "usr/share/common-licenses/"
REFERRED = re.compile(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])")
RELEASES = ("usr/lib/os-release", "etc/os-release", "etc/debian_version")
# Of Python's own library; `*` stands for slashes, too.
UNUSED = (
    Rule(
        (*(f"lib-dynload/{name}*" for name in ("_test", "_ctypes_test", "_xx", "xx")), "test/*"),
        "what Python itself is tested with",
    ),
    Rule(
        ("_pyrepl/*", "curses/*", "lib-dynload/_curses*", "lib-dynload/readline*"),
        "terminals, which nothing here speaks to",
    ),
    Rule(
        ("lib-dynload/_codecs_*", "lib-dynload/_multibytecodec*"),
        "East Asian charsets other than UTF-8, which is the only one that is read",
    ),
    Rule(("dbm/*", "lib-dynload/_dbm*"), "databases in a form that nothing here has"),
    Rule(
        ("pydoc_data/*", "pydoc.py", "turtle.py", "turtledemo/*", "idlelib/*", "tkinter/*"),
        "help, drawing and windows",
    ),
    Rule(("venv/*", "ensurepip/*", "lib2to3/*"), "environments, installers, translators of code"),
    Rule(("sitecustomize.py",), "Debian's hook, which is not imported (`python3 -S`)"),
)


def choose(
    python: str, debs: Iterable[Deb], others: Mapping[str, bytes]
) -> tuple[Entries, dict[str, str]]:
    """Choose the files of packages that Python and a bundle's shared libraries, by path, need.

    Beside them is the version of each package that some are of, by name.
    PackagingFailed is raised where a library that something asks for is in none of the packages.
    """
    debs = list(debs)
    every: Entries = {}
    for deb in debs:
        every |= deb.files
    library = f"usr/lib/python{python}/"
    of_python = {path: path.removeprefix(library) for path in every if path.startswith(library)}
    kept = {p for p, below in of_python.items() if not any(rule.names(below) for rule in UNUSED)}
    kept.add(f"usr/bin/python{python}")
    kept |= _libraries(kept, every, others)
    kept |= set(_followed(RELEASES, every))
    certificates = sorted(path for path in every if fnmatchcase(path, CERTIFICATES))
    used = [deb for deb in debs if not kept.isdisjoint(deb.files)]
    used += [deb for deb in debs if not set(certificates).isdisjoint(deb.files)]
    texts = set(_followed((f"usr/share/doc/{deb.name}/copyright" for deb in used), every))
    kept |= texts | _licences(texts, every)
    used = [deb for deb in debs if deb in used or not kept.isdisjoint(deb.files)]
    entries = {path: every[path] for path in kept}
    entries |= skeleton(lib64=any(path.startswith("usr/lib64/") for path in kept))
    entries[BUNDLED_CERTIFICATES] = LayerEntry(
        b"".join(every[path].read() for path in certificates)
    )
    entries["usr/lib/ssl/cert.pem"] = link(f"/{BUNDLED_CERTIFICATES}")
    entries |= {f"{STATUS}/{deb.name}": LayerEntry(deb.control.encode()) for deb in used}
    return entries, {deb.name: deb.version for deb in sorted(used)}


def _libraries(kept: set[str], every: Entries, others: Mapping[str, bytes]) -> set[str]:
    """The libraries that files ask for, and those that these ask for, with the loader."""
    own = {posixpath.basename(path) for path in others}
    where = {
        posixpath.basename(path): path
        for path in every
        if re.fullmatch(r"usr/lib/[^/]+-linux-gnu/[^/]+\.so[^/]*", path)
    }
    programs = {path: every[path].read() for path in sorted(kept) if every[path].link is None}
    waiting = [*programs.items(), *sorted(others.items())]
    found: set[str] = set()
    lost: dict[str, str] = {}
    while waiting:
        asking, content = waiting.pop()
        if not is_elf(content):
            continue
        loader = interpreter(content)
        if loader:
            found |= set(_followed([f"usr{loader}"], every))
        for name in needed(content):
            if name in own:
                continue
            if name not in where:
                lost[name] = asking
                continue
            new = set(_followed([where[name]], every)) - found
            found |= new
            waiting += [(p, every[p].read()) for p in sorted(new) if every[p].link is None]
    if lost:
        named = ", ".join(f"{name} (for {asking})" for name, asking in sorted(lost.items()))
        raise PackagingFailed(f"libraries are in none of Debian's packages here: {named}")
    return found


def _followed(paths: Iterable[str], every: Entries) -> Iterator[str]:
    """Paths, and the links on the way to them; what is not there is left out."""
    for path in paths:
        seen: set[str] = set()
        while path not in seen:
            seen.add(path)
            parts = path.split("/")
            steps = ["/".join(parts[:number]) for number in range(1, len(parts) + 1)]
            step = next((each for each in steps if each in every), None)
            if step is None:
                break
            yield step
            target = every[step].link
            if target is None:
                break
            base = "" if target.startswith("/") else posixpath.dirname(step)
            rest = path[len(step) + 1 :]
            path = posixpath.normpath(posixpath.join(base, target.lstrip("/"), rest))


def _licences(texts: Iterable[str], every: Entries) -> set[str]:
    """The licences of Debian's common ones that copyright files refer to."""
    read = [every[path].read() for path in texts if every[path].link is None]
    names = {name.decode() for text in read for name in REFERRED.findall(text)}
    return set(_followed((f"{LICENCES}{name}" for name in names), every))


def skeleton(lib64: bool) -> Entries:
    """The folders, links and accounts that a system has; the loader is in lib64 on x86-64."""
    merged = {name: link(f"usr/{name}") for name in ("bin", "lib", "sbin", *["lib64"] * lib64)}
    empty = {name: folder() for name in ("dev", "proc", "run", "sys", "usr/sbin", "mnt", "opt")}
    home = "/var/lib/onnxlet"
    return {
        **merged,
        **empty,
        "tmp": folder(0o1777),
        home[1:]: folder(0o775, owner=USER),
        "etc/passwd": LayerEntry(
            f"root:x:0:0:root:/:/nologin\nonnxlet:x:{USER}:{USER}:onnxlet:{home}:/nologin\n".encode()
        ),
        "etc/group": LayerEntry(f"root:x:0:\nonnxlet:x:{USER}:\n".encode()),
        "etc/nsswitch.conf": LayerEntry(b"hosts: files dns\n"),
    }
