"""What makes two graphs a translator of texts: the options of an import, and `vocabulary.json`.

A vocabulary says how text becomes ids, and ids become text again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.text_limits.regex_safety import runaway
from onnxlet.folders import documented
from onnxlet.function.errors import WrongUse, quoted
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.sequences import CHARACTER

WORD = r"\w+|[^\w\s]"  # what "word" stands for
LONGEST = 512  # units that are read, where nothing names another limit
MOST_UNITS = 10_000  # that --longest may name
WORD_CHARACTERS = 32  # that a word may have, on average, in a text of the most words
COMPOSED = 3  # characters that NFC makes one of, at most
SYMBOLS = ("start", "end", "unknown", "pad")
COUNT = f"a whole number from 1 to {MOST_UNITS}"
HINT = (
    "It holds {'unit': 'character', 'input': [units by id], 'output': [units by id], "
    "'start': '<s>', 'end': '</s>'}." + documented(" docs/how-to/import-text.md lists what else.")
)


class Vocabulary(NamedTuple):
    """What the file holds, checked."""

    unit: str  # "character", or the regular expression of a unit
    read: list[str]  # units of texts that come in, by id
    written: list[str]  # units of texts that go out, by id
    start: int  # the id that a text that is written starts after
    end: int  # the id that it ends with
    unknown: int | None  # the id of a unit that is read and is not in `read`; None refuses it
    special: list[int]  # ids that stand for nothing that can be read
    silent: list[int]  # ids that stand for nothing that can be written
    before: list[int]  # ids before a text that is read
    after: list[int]  # ids behind it
    nfc: bool  # texts that are read are composed first
    joined: str  # what stands between two units that are written
    longest: int  # units that are read, at most
    longest_output: int  # units that are written, at most
    example: str | None  # a text to show how to call

    @property
    def longest_text(self) -> int:
        """Characters that a text may have which is cut into units at all."""
        each = 1 if self.unit == CHARACTER else WORD_CHARACTERS
        return min(LONGEST_TEXT, self.longest * each * (COMPOSED if self.nfc else 1))

    def front_end(self, cost: int) -> dict[str, Any]:
        """The member `ids` of a manifest's graph input: `onnxlet.function.inputs.sequences`."""
        names = ("unit", "special", "unknown", "before", "after", "nfc", "longest")
        return {name: getattr(self, name) for name in names} | {"units": self.read, "cost": cost}

    def back_end(self) -> dict[str, Any]:
        """The step of a manifest's `back_end`: `onnxlet.function.outputs.texts`."""
        own = {} if self.written == self.read else {"units": self.written}
        return {
            "step": "text",
            "end": self.end,
            "silent": self.silent,
            "joined": self.joined,
            **own,
        }


def read_vocabulary(path: Path, longest: int | None) -> Vocabulary:
    """Read the file; `longest` units are read and written, at most, None as it says itself.

    WrongUse: it is not there, or not of its form; every mistake is named.
    """
    if not path.is_file():
        raise WrongUse(f"--vocabulary: there is no file '{path}'", HINT)
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"--vocabulary: '{path}' is not JSON: {error}", HINT) from error
    if not isinstance(found, dict):
        raise WrongUse(f"--vocabulary: '{path}': expected an object", HINT)
    if longest is not None:
        found |= {"longest": longest, "longest_output": longest}
    members = Members(found)
    vocabulary = members.vocabulary()
    if members.faults:
        raise WrongUse(f"--vocabulary: '{path}': {'; '.join(members.faults)}", HINT)
    return vocabulary


class Members:
    """Takes a vocabulary out of what JSON has, and collects what is wrong with it, in words."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.faults: list[str] = []
        self._found = found

    def vocabulary(self) -> Vocabulary:
        """All members; of no use where there are faults."""
        self._check_names()
        read = self._units("input", None)
        written = self._units("output", read)
        unit = self._unit()
        if unit == CHARACTER:
            self._check_characters(read)
        longest = self._member("longest", LONGEST, _is_count, COUNT)
        reads = [self._id(name, read, "input", needed=False) for name in SYMBOLS]
        writes = [self._id(name, written, "output", needed=False) for name in ("start", "pad")]
        unknown = self._id("unknown", read, "input", needed="unknown" in self._found)
        return Vocabulary(
            unit=unit,
            read=read,
            written=written,
            start=self._id("start", written, "output") or 0,
            end=self._id("end", written, "output") or 0,
            unknown=unknown,
            special=sorted({number for number in reads if number is not None}),
            silent=sorted({number for number in writes if number is not None}),
            before=self._several("before", read),
            after=self._several("after", read),
            nfc=self._member("nfc", False, lambda value: isinstance(value, bool), "true or false"),
            joined=self._member("joined", "" if unit == CHARACTER else " ", _is_text, "a text"),
            longest=longest,
            longest_output=self._member("longest_output", longest, _is_count, COUNT),
            example=self._member("example", None, _is_text, "a text"),
        )

    def _check_names(self) -> None:
        known = {"unit", "input", "output", *SYMBOLS, "before", "after", "nfc", "joined"}
        known |= {"longest", "longest_output", "example"}
        strange = [quoted(name) for name in self._found if name not in known]
        if strange:
            self.faults.append(
                f"unknown members {', '.join(strange)}: expected {', '.join(sorted(known))}"
            )

    def _units(self, name: str, otherwise: list[str] | None) -> list[str]:
        units = self._found.get(name, otherwise)
        if not isinstance(units, list) or not units or not all(type(u) is str for u in units):
            self.faults.append(f"'{name}': expected a list of texts, by id")
            return []
        twice = [unit for unit, count in Counter(units).items() if count > 1]
        if twice and units is not otherwise:
            self.faults.append(f"'{name}': {', '.join(map(quoted, twice[:5]))} is there twice")
        return units

    def _unit(self) -> str:
        unit = self._found.get("unit", CHARACTER)
        if unit == CHARACTER:
            return CHARACTER
        pattern = WORD if unit == "word" else unit
        try:
            groups = re.compile(pattern).groups
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            self.faults.append(
                f"'unit': expected 'character', 'word' or a regular expression, got "
                f"{quoted(unit)}: {error}"
            )
            return CHARACTER
        if groups:
            self.faults.append("'unit': expected a regular expression without groups: write (?:…)")
        elif why := runaway(pattern):
            self.faults.append(f"'unit': {why}")
        return str(pattern)

    def _check_characters(self, read: list[str]) -> None:
        symbols = {self._found.get(name) for name in SYMBOLS}
        for name in ("before", "after"):
            around = self._found.get(name)
            symbols |= set(map(str, around)) if isinstance(around, list) else set()
        longer = [unit for unit in read if len(unit) != 1 and unit not in symbols]
        if longer:
            self.faults.append(
                f"'input': expected single characters, or start, end, unknown and pad, got "
                f"{', '.join(map(quoted, longer[:5]))}"
            )

    def _id(self, name: str, units: list[str], side: str, needed: bool = True) -> int | None:
        symbol = self._found.get(name)
        if symbol in units and type(symbol) is str:
            return units.index(symbol)
        if needed and units:
            self.faults.append(f"'{name}': expected one of '{side}', got {quoted(symbol)}")
        return None

    def _several(self, name: str, units: list[str]) -> list[int]:
        around = self._found.get(name, [])
        if not isinstance(around, list) or not all(each in units for each in around):
            self.faults.append(f"'{name}': expected a list of units of 'input'")
            return []
        return [units.index(each) for each in around]

    def _member(self, name: str, otherwise: Any, fits: Callable[[Any], bool], expected: str) -> Any:
        value = self._found.get(name, otherwise)
        if value is not otherwise and not fits(value):
            self.faults.append(f"'{name}': expected {expected}, got {quoted(value)}")
            return otherwise
        return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_UNITS


COLUMN = "text"


class TextOptions(NamedTuple):
    """What makes two graphs a translator."""

    decoder: Path  # the file of the decoder
    vocabulary: Path  # the file of the vocabulary
    # Units that are read and written, at most; None as the vocabulary says.
    longest: int | None = None
    column: str = "text"  # what clients call the text
    links: Sequence[str] = ()  # INPUT=TENSOR, of the decoder's inputs


def text_options(
    others: Mapping[str, Any],
    sample: Path | None,
    expected: Path | None,
    decoder: Path | None,
    vocabulary: Path | None,
    longest: int | None,
    column: str | None,
    links: Sequence[str],
) -> TextOptions | None:
    """Check options against each other; None where the model is no translator.

    `others` are options of other models, by name. WrongUse names all that don't go together.
    """
    unasked, translates = expected is not None and sample is None, decoder is not None
    own = {"vocabulary": vocabulary, "longest": longest, "column": column, "link": links or None}
    too_many = longest is not None and not 1 <= longest <= MOST_UNITS
    checks = (
        (unasked, "--expected: answers without their rows"),
        *(
            (given is not None and not translates, f"--{name}: needs --decoder")
            for name, given in own.items()
        ),
        (translates and vocabulary is None, "--decoder: needs --vocabulary"),
        *(
            (given and translates, f"--{name}: not with --decoder")
            for name, given in others.items()
        ),
        (too_many, f"--longest: expected a whole number from 1 to {MOST_UNITS}, got {longest}"),
        (column is not None and not column.strip(), "--column: expected a name, got none"),
    )
    if faults := [fault for is_wrong, fault in checks if is_wrong]:
        raise WrongUse("; ".join(faults), "Add --sample IN.npz." if unasked else "")
    if decoder is None or vocabulary is None:
        return None
    return TextOptions(decoder, vocabulary, longest, column or COLUMN, links)
