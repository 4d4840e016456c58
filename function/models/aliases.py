"""Aliases, which are names of versions: `models/NAME/aliases.json`, such as `{"stable": 2}`.

An alias stands wherever a version does, and `stable` is what is served where none is named. A
device has two folders: its slot's, and that of model-only updates. A file in the second one was put
there by the device's operator, and is the only one that counts. Where there is none the
slot's counts, and its `stable` gives way to a higher version among the updates, as a slot's version
always does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from onnxlet.function import json_text
from onnxlet.function.errors import ModelError, RequestError
from onnxlet.function.model_files import read_within
from onnxlet.function.settings import ALIAS

FILE = "aliases.json"
STABLE = "stable"
HINT = (
    'Write it as {"stable": 2}: names, of letters, digits, ".", "-" and "_" and not of digits '
    "only, of versions that are there; or remove it."
)
PIN_HINT = "Pin a version that is there, or an alias of one; or take the pin away."
LARGEST_FILE = 100_000  # bytes; reload reads the file again and again

Aliases = Mapping[str, int]
NONE: Aliases = {}


def file_of(folders: Sequence[Path], name: str) -> Path | None:
    """The file of a model's aliases that counts, in one folder or a device's two; or None."""
    files = [folder / name / FILE for folder in reversed(folders)]
    return next((file for file in files if file.exists() or file.is_symlink()), None)


def read(file: Path | None, versions: Collection[int]) -> Aliases:
    """The versions of a model, by alias, among those that are there; without a file none.

    Raises ModelError, with everything that is wrong with it, where it can't be read or is not of
    this form.
    """
    if file is None:
        return NONE
    label = f"model {file.parent.name}: {FILE}"
    try:
        content = read_within(file.parent, file.name, most=LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ModelError(f"{label}: expected at most {LARGEST_FILE} bytes, got more", HINT)
        found = json_text.loads(content)
    except OSError as error:  # its words have the whole path
        raise ModelError(f"{label}: it can't be read: {error.strerror}", HINT) from error
    except RequestError as error:
        said = str(error.message).replace("the body", "it")
        raise ModelError(f"{label}: expected JSON: {said}", HINT) from error
    if not isinstance(found, dict):
        raise ModelError(f"{label}: expected an object, got {_kind(found)}", HINT)
    faults = [fault for alias, to in found.items() if (fault := _fault(alias, to, versions))]
    if faults:
        raise ModelError(f"{label}: {'; '.join(faults)}", HINT)
    return dict(sorted(found.items()))


def _fault(alias: str, to: object, versions: Collection[int]) -> str:
    shown = alias[:100].encode("utf-8", "backslashreplace").decode()
    if not re.fullmatch(ALIAS, alias):
        return f"'{shown}': expected a word that is no number and can be part of a path"
    if type(to) is not int:
        return f"'{shown}': expected the number of a version, got {_kind(to)}"
    if to not in versions:
        there = ", ".join(map(str, sorted(versions))) or "none"
        return f"'{shown}': expected a version that is there ({there}), got {to}"
    return ""


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value)) or repr(value)[:40]


def of_model(folders: Sequence[Path], name: str, versions: Collection[int]) -> Aliases:
    """A model's aliases in one folder, or a device's two.

    Raises ModelError where they can't be used.
    """
    file = file_of(folders, name)
    found = read(file, versions)
    if file is None or STABLE not in found or file.parents[1] in folders[1:]:
        return found
    slot, *others = (folder / name for folder in folders)
    updates = [
        number
        for number in versions
        if not (slot / str(number)).is_dir() and any((o / str(number)).is_dir() for o in others)
    ]
    return {**found, STABLE: max([found[STABLE], *updates])}


def serves(
    name: str, versions: Sequence[int], aliases: Aliases = NONE, pin: str | None = None
) -> int:
    """The version that is served where a request names none, of those that are there, lowest first.

    A pin, a version or an alias, goes before `stable`. Raises ModelError where there is no such
    one.
    """
    if pin is None:
        return aliases.get(STABLE, versions[-1])
    number = aliases.get(pin, int(pin) if pin.isdecimal() else 0)
    if number not in versions:
        what = "version" if pin.isdecimal() else "alias"
        raise ModelError(
            f"ONNXLET_SERVE={name}={pin}: no {what} {pin}; {listed(versions, aliases)}", PIN_HINT
        )
    return number


def listed(versions: Sequence[int], aliases: Aliases) -> str:
    """The versions and aliases that there are, in words."""
    some = "are versions" if len(versions) > 1 else "is version"
    said = f"there {some} {', '.join(map(str, versions))}"
    return f"{said} and {', '.join(aliases)}" if aliases else said
