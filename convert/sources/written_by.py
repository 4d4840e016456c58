"""Which scikit-learn wrote a file, as its estimators say; nothing of the file is run to find out.

An estimator's state has it under one key. Arrays of joblib's lie between a pickle's opcodes, so the
key is searched for in the form of an opcode, and read on from there; what is no such form, or says
several versions, counts as none.
"""

from __future__ import annotations

import pickletools
import re
from io import BytesIO
from itertools import islice

VERSION = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,3}(?:\.?(?:rc|dev|post)\d{1,6})*")
IN_SCHEMA = re.compile(rb'"_sklearn_version": ?\{[^{}]{0,400}?"content": ?"\\"([^"\\]{1,40})\\""')
# Of each protocol: a text's opcode, and where it is kept for later.
IN_PICKLE = re.compile(
    rb"(?:\x8c\x10|X\x10\0\0\0|V)_sklearn_version(?:\x94|\np\d{1,10}\n|q.|r.{4}|)(?:\x95.{8})?",
    re.S,
)
MOST = 2**21  # opcodes that are read for what was kept before
AT_MOST = 64  # bytes of a version and its opcode
KEPT = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
TAKEN = {"GET", "BINGET", "LONG_BINGET"}
ARRAYS = "NumpyArrayWrapper"  # joblib's: what follows are an array's bytes
FAULTS = (ValueError, IndexError, KeyError, OverflowError)


def version_in_schema(schema: bytes) -> str | None:
    """The version that the schema of a .skops file has; None where it has none or several."""
    return _one({found[1].decode(errors="replace") for found in IN_SCHEMA.finditer(schema)})


def version_in_pickle(content: bytes) -> str | None:
    """The version that a pickle has, of joblib's too; None where it has none or several."""
    return _one({_text_at(content, found.end()) for found in IN_PICKLE.finditer(content)})


def _one(found: set[str]) -> str | None:
    [version] = found if len(found) == 1 else [""]
    return version if VERSION.fullmatch(version) else None


def _text_at(content: bytes, place: int) -> str:
    """The text that an opcode has, or takes of what was kept; '' where it is another opcode."""
    try:
        opcode, argument, _ = next(pickletools.genops(content[place : place + AT_MOST]))
    except FAULTS:
        return ""
    if opcode.name in TAKEN and isinstance(argument, int):
        return _kept(content[:place]).get(argument, "")
    return argument if isinstance(argument, str) and "UNICODE" in opcode.name else ""


def _kept(content: bytes) -> dict[int, str]:
    """Texts that a pickle keeps, by their numbers, as far as it can be read."""
    kept, count, last = dict[int, str](), 0, ""
    try:
        for opcode, argument, _ in islice(pickletools.genops(BytesIO(content)), MOST):
            if opcode.name in KEPT:
                kept[count if opcode.name == "MEMOIZE" else int(argument or 0)] = last
                count += 1
            elif ARRAYS in str(argument)[:AT_MOST]:
                break
            else:
                last = argument if "UNICODE" in opcode.name and isinstance(argument, str) else ""
    except FAULTS:  # it ends here, or arrays begin
        return kept
    return kept
