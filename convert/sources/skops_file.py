"""A .skops file: measured and judged before anything in it is made.

It is a zip archive with a tree of nodes in `schema.json`; what each `__loader__` does with its
node is in https://github.com/skops-dev/skops/tree/main/skops/io (`_general.py`, `_numpy.py`,
`_sklearn.py`). A node may stand for an earlier one by its `__id__`, whatever it says itself.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

from onnxlet.convert.sources.skops_allowlist import MAY_BE_MADE, is_gone, reached
from onnxlet.convert.sources.skops_nodes import is_sound, name_of
from onnxlet.convert.tables.limits import Limits

SCHEMA = "schema.json"
LIMITS = Limits(surely_fine=2**30, densest=20)
# Bytes. A step of zlib ends where it is asked to; one of the others unpacks all that it has read.
STEPS = {zipfile.ZIP_STORED: 2**20, zipfile.ZIP_DEFLATED: 2**20}
LEAST_STEP = 2**12
OF_AN_INSTANCE = frozenset({"__id__", "file"})  # differ where one object was saved twice
ARRAY = b"\x93NUMPY"  # what a file of one begins with; numpy.load opens archives too


class Malformed(ValueError):
    """The file is not as skops writes one."""


@dataclass
class Judgement:
    """What a file wants to have made."""

    allowed: set[str] = field(default_factory=set)  # names for skops, as these nodes bear them
    refused: set[str] = field(default_factory=set)  # likewise
    # Those of the refused that the package had in another version.
    gone: set[str] = field(default_factory=set)
    # Those of the refused that are harmless, but for what is in them.
    misused: set[str] = field(default_factory=set)
    # That nodes are filled from, each with its node's id and loader.
    files: set[tuple[str, str, Any]] = field(default_factory=set)


def unpacked(content: bytes) -> bytes:
    """The archive with nothing packed in it any more.

    Malformed where unpacked it is out of all proportion, BadZipFile where it is no archive.
    """
    archive = zipfile.ZipFile(BytesIO(content))
    members = archive.infolist()
    _check_size(sum(member.file_size for member in members), len(content))
    if all(member.compress_type == zipfile.ZIP_STORED for member in members):
        return content
    plain = BytesIO()
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as target:
        for member in {member.filename: member for member in members}.values():
            # In steps: zipfile looks at the size that is declared only after it has unpacked.
            with archive.open(member) as source, target.open(member.filename, "w") as out:
                while part := source.read(STEPS.get(member.compress_type, LEAST_STEP)):
                    out.write(part)
    return plain.getvalue()


def schema_of(plain: bytes) -> bytes:
    """The tree of nodes, as JSON; KeyError where there is none."""
    return zipfile.ZipFile(BytesIO(plain)).read(SCHEMA)


def _check_size(size: int, packed: int) -> None:
    if LIMITS.are_exceeded(size, packed):
        raise Malformed(
            f"unpacked it has {size:,} bytes, {size // max(packed, 1):,} times its own size: "
            f"expected at most {LIMITS.densest} times (skops.io.dump packs nothing unless it is "
            "asked to)"
        )


def judged(schema: Mapping[str, Any], trusted: Sequence[str]) -> Judgement:
    """What of a schema may be made: what is known to be harmless, and what the user trusts.

    Malformed where nodes that bear one id are not the same, or something is half a node.
    """
    found = Judgement()
    _look_through(schema, frozenset(trusted), found, {})
    return found


def _look_through(
    part: Any, trusted: frozenset[str], found: Judgement, by_id: dict[Any, bytes]
) -> bytes:
    """Judge every node in a part of the schema; a digest of it, by which equal parts are known."""
    if isinstance(part, list):
        digests = [_look_through(each, trusted, found, by_id) for each in part]
        return sha256(b"[" + b"".join(digests)).digest()
    if not isinstance(part, dict):
        return sha256(repr(part).encode(errors="surrogatepass")).digest()
    whole = sha256(b"{")
    for key in sorted(part):
        digest = _look_through(part[key], trusted, found, by_id)
        if key not in OF_AN_INSTANCE:
            whole.update(repr(key).encode(errors="surrogatepass") + b":" + digest)
    if "__loader__" in part or "__id__" in part:  # either makes skops take it for a node
        if not isinstance(part.get("__loader__"), str):
            raise Malformed("a node does not say by a text what loads it")
        _judge(part, trusted, found)
        shared = part.get("__id__")
        if shared and by_id.setdefault(shared, whole.digest()) != whole.digest():
            raise Malformed(f"several nodes bear the id {shared!r}, and are not the same")
    return whole.digest()


def _judge(node: Mapping[str, Any], trusted: frozenset[str], found: Judgement) -> None:
    loader, module, name = node["__loader__"], node["__module__"], node["__class__"]
    if loader == "JsonNode":  # a number or a text, whatever class it says
        if not is_sound(node, None, trusted):
            raise Malformed("a node of a text holds a list or an object")
        return
    if "file" in node:
        found.files.add((str(node["file"]), loader, node.get("__id__") or id(node)))
    full, there = name_of(node), reached(module, name)
    is_harmless = loader in MAY_BE_MADE and MAY_BE_MADE[loader](there)
    if full in trusted or (is_harmless and is_sound(node, there, trusted)):
        found.allowed |= {f"{module}.{name}", full}
    else:
        found.refused.add(full)
        if is_harmless:
            found.misused.add(full)
        elif is_gone(module, name):
            found.gone.add(full)


def check_sizes(plain: bytes, found: Judgement, size: int) -> None:
    """Refuse nodes that are filled with no array, or with more than a file of its size can hold.

    Malformed where they are, KeyError where a file is not in the unpacked archive.
    """
    archive, total = zipfile.ZipFile(BytesIO(plain)), 0
    for name, loader, _ in found.files:
        member = archive.getinfo(name)
        total += member.file_size
        if loader == "SparseMatrixNode":  # an archive again
            with archive.open(member) as file, zipfile.ZipFile(file) as inner:
                total += sum(each.file_size for each in inner.infolist())
    _check_size(total, size)
    for name in {name for name, loader, _ in found.files if loader == "NdArrayNode"}:
        with archive.open(name) as file:
            if file.read(len(ARRAY)) != ARRAY:
                raise Malformed(f"'{name}' in it is no array")
