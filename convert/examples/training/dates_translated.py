"""Trains the translator of dates, and exports its encoder and decoder.

Dates in ten languages as CLDR writes them (by Babel), into CLDR's long form in another one:
"de> Sep 21, 2021" becomes "21. September 2021". A bidirectional GRU reads the characters, another
one writes them, with attention (Luong et al. 2015) over what was read.

    .venv-frameworks/bin/python -m onnxlet.convert.examples.training.dates_translated

writes `data/dates_encoder.onnx`, `dates_decoder.onnx`, `dates_vocabulary.json` and `dates.csv.gz`
(held-out texts with their translations) beside the examples. It takes two minutes on two cores.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import torch
from babel.dates import format_date

LANGUAGES = ("de", "el", "en", "es", "fr", "it", "ja", "pl", "ru", "zh")
FORMS = ("medium", "long", "full")
FIRST, DAYS = date(1900, 1, 1), 73_049  # to the end of 2099
HELD_OUT_DAYS = 10  # each tenth day is in no text that is trained on
PAD, START, END = "<pad>", "<s>", "</s>"
SIZES = {"characters": 32, "read": 64, "written": 96}


class Pair(NamedTuple):
    """A text to be translated, and its translation."""

    source: str
    target: str


def pairs(count: int, held_out: bool, seed: int) -> list[Pair]:
    """Dates drawn at random: in any language and form, into any other language."""
    draw, found = random.Random(seed), list[Pair]()
    while len(found) < count:
        day = draw.randrange(DAYS)
        if (day % HELD_OUT_DAYS == 0) == held_out:
            when = FIRST + timedelta(days=day)
            source, target = draw.sample(LANGUAGES, 2)
            text = written(when, draw.choice(FORMS), source)
            found.append(Pair(f"{target}> {text}", written(when, "long", target)))
    return found


def written(when: date, form: str, language: str) -> str:
    """As CLDR has it, with plain spaces."""
    return format_date(when, form, language).replace("\u202f", " ").replace("\xa0", " ")


def characters(texts: Sequence[str]) -> list[str]:
    """All of them, behind the ids that stand for none."""
    return [PAD, START, END, *sorted(set("".join(texts)))]


class Encoder(torch.nn.Module):  # type: ignore[misc] # PyTorch has no types here
    """Ids (rows, length) to what was read (rows, length, 2 * read) and a state (rows, written)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(width, SIZES["characters"])
        self.gru = torch.nn.GRU(
            SIZES["characters"], SIZES["read"], batch_first=True, bidirectional=True
        )
        self.bridge = torch.nn.Linear(2 * SIZES["read"], SIZES["written"])

    def forward(self, ids: Any) -> tuple[Any, Any]:
        own = self.embedding(ids)
        memory, last = self.gru(own)
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))
        return torch.cat([memory, own], -1), state


class Decoder(torch.nn.Module):  # type: ignore[misc]
    """The last ids (rows,), a state and what was read, to logits (rows, width) and a new state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(width, SIZES["characters"])
        self.gru = torch.nn.GRU(SIZES["characters"], SIZES["written"], batch_first=True)
        memory = 2 * SIZES["read"] + SIZES["characters"]
        self.query = torch.nn.Linear(SIZES["written"], memory)
        self.mix = torch.nn.Linear(SIZES["written"] + memory, SIZES["written"])
        self.out = torch.nn.Linear(SIZES["written"], width)

    def forward(self, last: Any, state: Any, memory: Any) -> tuple[Any, Any]:
        logits, new_state = self.every(last.unsqueeze(1), state, memory)
        return logits.squeeze(1), new_state

    def every(self, ids: Any, state: Any, memory: Any) -> tuple[Any, Any]:
        """Logits behind each of the ids (rows, written), and the state behind all."""
        written, last = self.gru(self.embedding(ids), state.unsqueeze(0))
        scores = self.query(written) @ memory.transpose(1, 2)
        found = torch.softmax(scores, -1) @ memory
        mixed = torch.tanh(self.mix(torch.cat([written, found], -1)))
        return self.out(mixed), last[0]
