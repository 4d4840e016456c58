"""docs/gallery.md: its sections, and what each says of its example."""

from __future__ import annotations

import base64
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT
from tests.project.test_device_docs import blocks

TEXT = (ROOT / "docs" / "gallery.md").read_text()
PICTURES = ROOT / "docs" / "images" / "gallery"
ADDRESS = "http://127.0.0.1:8080"
REQUEST = re.compile(r"```sh\n(curl .*?)\n```\n\n```json\n(.*?)\n```", re.DOTALL)
ROW = re.compile(r"^\| ([^|]+) \| (-?[\d.,]+) \| (-?[\d.,]+) \|$", re.MULTILINE)


class Request(NamedTuple):
    """A request that is shown.

    Attributes:
        words: of the curl command.
        path: with its query.
        kind: the media type.
        body: that is sent.
        shown: the answer, as it was written.
        file: of the picture that is the body, if it is one.
    """

    words: list[str]
    path: str
    kind: str
    body: bytes
    shown: str
    file: Path | None

    def instances(self, column: str) -> list[dict[str, Any]]:
        """The rows that are sent; of a picture, which has no names, by this one."""
        if self.file is None:
            found: list[dict[str, Any]] = json.loads(self.body)["instances"]
            return found
        return [{column: base64.b64encode(self.body).decode()}]


class Section(NamedTuple):
    """What is said of an example.

    Attributes:
        title: its heading.
        text: below that.
        scores: by name, the model's and the baseline's.
        request: the first that is shown.
    """

    title: str
    text: str
    scores: dict[str, tuple[float, float]]
    request: Request


def sections() -> dict[str, Section]:
    """By example."""
    found = {}
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        [name] = re.findall(r"^make model EXAMPLE=(\w+)$", text, re.MULTILINE)
        scores = {each: (_number(own), _number(base)) for each, own, base in ROW.findall(text)}
        found[name] = Section(title, text, scores, _request(text))
    return found


def readings(text: str) -> list[str]:
    """The commands of a section that speak MQTT."""
    return [block for block in blocks(text, "sh") if "MQTT" in block or "mosquitto" in block]


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _request(text: str) -> Request:
    command, shown = REQUEST.findall(text)[0]
    words = shlex.split(command)
    given = dict(pairwise(words))
    [address] = [word for word in words if word.startswith(ADDRESS)]
    data = given.get("-d") or given["--data-binary"]
    file = ROOT / data[1:] if data.startswith("@") else None
    body = data.encode() if file is None else file.read_bytes()
    kind = given["-H"].removeprefix("Content-Type: ")
    return Request(words, address.removeprefix(ADDRESS), kind, body, shown, file)


BOX = {"x", "y", "width", "height"}
SHARED = 0.8  # of what two boxes cover: a window's next step at its size leaves that


class NearBox(dict[str, Any]):
    """Equals a box of the same thing there.

    Which of two neighbouring windows is found by a hair depends on the processor, whose last digits
    decided by which windows the judge of faces was taught.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict) or other.keys() != self.keys():
            return False
        rest = self.keys() - BOX
        return {n: other[n] for n in rest} == {n: close_to(self[n]) for n in rest} and (
            self._shared(other) >= SHARED
        )

    __hash__ = None  # as a dictionary's

    def _shared(self, other: dict[str, Any]) -> float:
        """The area that two boxes have in common, as a share of what they cover."""
        lengths: list[float] = []
        for start, size in (("x", "width"), ("y", "height")):
            low = max(self[start], other[start])
            high = min(self[start] + self[size], other[start] + other[size])
            lengths.append(max(0.0, high - low))
        both = lengths[0] * lengths[1]
        every = self["width"] * self["height"] + other["width"] * other["height"]
        return float(both / (every - both))


def close_to(shown: Any) -> Any:
    """An answer, its numbers as far as other versions of scikit-learn fit the same."""
    if isinstance(shown, dict) and shown.keys() >= BOX:
        return NearBox(shown)
    if isinstance(shown, dict):
        return {name: close_to(member) for name, member in shown.items()}
    if isinstance(shown, list):
        return [close_to(member) for member in shown]
    return pytest.approx(shown, rel=0.01, abs=0.005) if isinstance(shown, float) else shown
