"""Options of several parts, `NAME,key=value,…`: read whole, so that all that is wrong is said.

`--boxes` is one: which outputs of a graph are boxes, and how they are written there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.folders import documented
from onnxlet.function.errors import WrongUse

# A reader takes a value's text and returns what it means; it raises ValueError with what it
# expected instead.
Reader = Callable[[str], Any]
FRACTION = re.compile(r"(.+)/(.+)")


class Settings:
    """The parts of an option's text between commas, and what is wrong with them, in words.

    `bare` has the parts that are no `key=value`, in their order; each key has a reader of its
    value.
    """

    def __init__(self, text: str, readers: Mapping[str, Reader]) -> None:
        """Read a text.

        Args:
            text: parts between commas.
            readers: by key, what reads its value.
        """
        self.bare: list[str] = []
        self.faults: list[str] = []
        self._found: dict[str, Any] = {}
        for part in text.split(","):
            key, mark, value = part.partition("=")
            if not mark:
                self.bare.append(part.strip())
            elif key.strip() not in readers:
                self.faults.append(f"'{key}': expected one of {', '.join(readers)}")
            elif key.strip() in self._found:
                self.faults.append(f"'{key}' is there twice")
            else:
                self._found[key.strip()] = None
                try:
                    self._found[key.strip()] = readers[key.strip()](value.strip())
                except ValueError as error:
                    self.faults.append(f"{key.strip()}: expected {error}, got '{value.strip()}'")

    def get(self, key: str, otherwise: Any = None) -> Any:
        """A key's value, as its reader returned it."""
        value = self._found.get(key)
        return otherwise if value is None else value

    def __contains__(self, key: str) -> bool:
        return key in self._found


def one_of(*words: str) -> Reader:
    """Reads one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def number(low: float, high: float) -> Reader:
    """Reads a number, or a fraction such as 1/255, from `low` to `high`."""

    def read(text: str) -> float:
        value = _number(text)
        if value is None or not low <= value <= high:
            limits = f" from {low:g} to {high:g}" if math.isfinite(high) else ""
            raise ValueError(f"a number{limits}")
        return value

    return read


def numbers(text: str) -> list[float]:
    """Read numbers, one for each channel or one for all."""
    found = [_number(part) for part in split(text)]
    if None in found:
        raise ValueError("numbers with ':' between them")
    return [value for value in found if value is not None]


def whole(low: int, high: int) -> Reader:
    """Reads a whole number."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def split(text: str) -> list[str]:
    """The members of a list: ':' is between them, or ';', which a shell wants quoted."""
    return [part.strip() for part in re.split("[:;]", text)]


def _number(text: str) -> float | None:
    fraction = FRACTION.fullmatch(text)
    try:
        value = float(fraction[1]) / float(fraction[2]) if fraction else float(text)
    except (ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def refuse(option: str, faults: Sequence[str] | Iterator[str], hint: str) -> None:
    """Refuse an option by WrongUse with all that is wrong with it; nothing where nothing is."""
    if listed := "; ".join(faults):
        raise WrongUse(f"{option}: {listed}", hint)


# The four columns of each form, whichever order an output has them in.
FORMATS = {
    "xyxy": ("x1", "y1", "x2", "y2"),
    "yxyx": ("y1", "x1", "y2", "x2"),
    "xywh": ("x", "y", "width", "height"),
    "cxcywh": ("cx", "cy", "width", "height"),
}
CLASSES = "classes"  # a score for each class, in all the columns that are left
BESIDE = ("score", "objectness", "label", CLASSES, "_")
SCORE, OVERLAP, MOST = 0.5, 0.3, 100
HINT = (
    "--boxes BOXES,SCORES,format=xyxy,units=relative,score=0.5,overlap=0.3,most=100,labels=FILE; "
    "or --boxes OUTPUT,columns=cx:cy:width:height:classes,units=pixels."
    + documented(" docs/how-to/import-images.md has all of it.")
)


class Boxes(NamedTuple):
    """What `--boxes` says."""

    # Of the graph: the boxes', the scores' and perhaps the labels'; or one of all.
    outputs: tuple[str, ...]
    columns: tuple[str, ...]  # of the only one; () where there are several
    format: str  # of the corners, one of `FORMATS`
    pixels: bool  # they are in pixels of what the graph takes, not in shares of it
    score: float  # a box needs more
    # Of two boxes of one class that have more in common, intersection over union, the better one is
    # kept; 1 keeps all.
    overlap: float
    most: int  # boxes in an answer
    labels: tuple[str, ...]  # of the classes, in their order
    activation: str | None  # that makes shares of the scores: "sigmoid", "softmax", or None
    background: str | None  # the class that is none, "first" or "last"; None where there is none

    @property
    def named(self) -> bool:
        """Whether the graph answers a label for each box, rather than a score for each class."""
        return len(self.outputs) == 3 or "label" in self.columns


def parse(text: str) -> Boxes:
    """Read `--boxes`; WrongUse has all that is wrong with it."""
    settings = Settings(
        text,
        {
            "format": one_of(*FORMATS),
            "columns": _columns,
            "units": one_of("relative", "pixels"),
            "score": number(0, 1),
            "overlap": number(0, 1),
            "most": whole(1, 1000),
            "labels": _labels,
            "activation": one_of("sigmoid", "softmax"),
            "background": one_of("first", "last"),
        },
    )
    refuse("--boxes", [*settings.faults, *_disagreements(settings)], HINT)
    columns = settings.get("columns", ())
    named = len(settings.bare) == 3 or "label" in columns
    single = named or (bool(columns) and CLASSES not in columns)  # it has suppressed already
    return Boxes(
        tuple(settings.bare),
        columns,
        _format_of(columns) or settings.get("format", "xyxy"),
        settings.get("units", "relative") == "pixels",
        settings.get("score", SCORE),
        settings.get("overlap", 1.0 if single else OVERLAP),
        settings.get("most", MOST),
        settings.get("labels", ()),
        settings.get("activation"),
        settings.get("background"),
    )


def _disagreements(settings: Settings) -> list[str]:
    names, columns, single = settings.bare, settings.get("columns", ()), "columns" in settings
    listed, named = ", ".join(names), len(names) == 3 or "label" in columns
    checks = (
        (
            single and len(names) != 1,
            f"with columns: expected one output, got {len(names)}: {listed}",
        ),
        (
            not single and len(names) not in (2, 3),
            "expected the outputs BOXES,SCORES or BOXES,SCORES,LABELS, or one with columns=…, got "
            f"{listed}",
        ),
        (single and "format" in settings, "format: columns=… say it already"),
        (len(set(names)) < len(names), "an output is there twice"),
        (
            named and settings.get("overlap", 1.0) < 1.0,
            "overlap: a graph that answers labels has suppressed overlapping boxes itself",
        ),
        (
            settings.get("background") and (named or (columns and CLASSES not in columns)),
            "background: only where there is a score for each class",
        ),
    )
    return [fault for is_wrong, fault in checks if is_wrong]


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(split(text))
    known = {name for form in FORMATS.values() for name in form} | {*BESIDE}
    unknown = [name for name in names if name not in known]
    if unknown or _format_of(names) is None:
        forms = ", or ".join(":".join(form) for form in FORMATS.values())
        raise ValueError(f"{forms}, and beside these {', '.join(BESIDE)}")
    twice = [name for name in names if names.count(name) > 1 and name != "_"]
    scores = [name for name in names if name in ("score", CLASSES)]
    if twice or len(scores) != 1 or (CLASSES in names and names[-1] != CLASSES):
        raise ValueError(f"each column once, and score or, as the last one, {CLASSES}")
    if CLASSES in names and "label" in names:
        raise ValueError(f"label or {CLASSES}, not both")
    return names


def _format_of(columns: Sequence[str]) -> str | None:
    """The form whose four columns are there, and none of another's."""
    corners = {name for form in FORMATS.values() for name in form} & set(columns)
    return next((name for name, form in FORMATS.items() if set(form) == corners), None)


def _labels(text: str) -> tuple[str, ...]:
    """Names with ':' between them, or the lines of a file."""
    path = Path(text)
    if not path.is_file():
        if path.suffix in (".txt", ".names") or "/" in text:
            raise ValueError("a file of labels, one a line")
        return tuple(split(text))
    try:
        return tuple(path.read_text(encoding="utf-8-sig").rstrip().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("a file of labels in UTF-8, one a line") from error


def check_outputs(boxes: Boxes, known: Sequence[str]) -> None:
    """Refuse outputs that the graph has not, by WrongUse."""
    if unknown := [name for name in boxes.outputs if name not in known]:
        raise WrongUse(
            f"--boxes: expected outputs of the graph: {', '.join(known)}; got {', '.join(unknown)}",
            HINT,
        )
