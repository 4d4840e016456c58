"""Trains the translator of dates, and exports its encoder and decoder.

Dates in ten languages as CLDR writes them (by Babel), into CLDR's long form in another one:
"de> Sep 21, 2021" becomes "21. September 2021". A bidirectional GRU reads the characters, another
one writes them, with attention (Luong et al. 2015) over what was read.

    .venv-frameworks/bin/python -m onnxlet.convert.examples.training.dates_translated

writes `data/dates_encoder.onnx`, `dates_decoder.onnx`, `dates_vocabulary.json` and `dates.csv.gz`
(held-out texts, CLDR's translations and what PyTorch answered) beside the examples. It takes two
minutes on two cores.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from babel.dates import format_date
from onnx import TensorProto, helper, numpy_helper

LANGUAGES = ("de", "el", "en", "es", "fr", "it", "ja", "pl", "ru", "zh")
FORMS = ("medium", "long", "full")
FIRST, DAYS = date(1900, 1, 1), 73_049  # to the end of 2099
HELD_OUT_DAYS = 10  # each tenth day is in no text that is trained on
PAD, START, END = "<pad>", "<s>", "</s>"
SIZES = {"characters": 32, "read": 64, "written": 96}
TEXTS, BATCH, STEPS, RATE = 60_000, 64, 2500, 5e-3
LONGEST = 48  # characters
SMALL = 256  # numbers that are not worth 16 bits
EXAMPLE = "de> Sep 21, 2021"


class Pair(NamedTuple):
    """A text to be translated, and its translation."""

    source: str
    target: str


def pairs(count: int, held_out: bool, seed: int) -> list[Pair]:
    """Dates drawn at random: in any language and form, into any other language."""
    draw, found = random.Random(seed), list[Pair]()  # noqa: S311 # no secret
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
    text: str = format_date(when, form, language)
    return text.replace("\u202f", " ").replace("\xa0", " ")


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
        """What was read, its characters beside it, and the state to begin with."""
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
        """One step."""
        logits, new_state = self.every(last.unsqueeze(1), state, memory)
        return logits.squeeze(1), new_state

    def every(self, ids: Any, state: Any, memory: Any) -> tuple[Any, Any]:
        """Logits behind each of the ids (rows, written), and the state behind all."""
        written, last = self.gru(self.embedding(ids), state.unsqueeze(0))
        scores = self.query(written) @ memory.transpose(1, 2)
        found = torch.softmax(scores, -1) @ memory
        mixed = torch.tanh(self.mix(torch.cat([written, found], -1)))
        return self.out(mixed), last[0]


class Trained(NamedTuple):
    """Both networks, and the characters by their ids."""

    encoder: Encoder
    decoder: Decoder
    read: list[str]
    written: list[str]

    def translated(self, text: str, longest: int = LONGEST) -> str:
        """PyTorch's own greedy decoding."""
        found, last = "", torch.tensor([self.written.index(START)])
        with torch.no_grad():
            memory, state = self.encoder(torch.tensor([[self.read.index(c) for c in text]]))
            for _ in range(longest):
                logits, state = self.decoder(last, state, memory)
                last = logits.argmax(-1)
                if self.written[last] == END:
                    break
                found += self.written[last]
        return found

    def vocabulary(self) -> dict[str, Any]:
        """As `import --vocabulary` takes it."""
        return {
            "unit": "character",
            "input": self.read,
            "output": self.written,
            "start": START,
            "end": END,
            "pad": PAD,
            "nfc": True,
            "longest": LONGEST,
            "example": EXAMPLE,
        }


def train(steps: int = STEPS, seed: int = 0) -> Trained:
    """Train both networks, which takes a minute and a half on one core."""
    torch.manual_seed(seed)
    texts = pairs(TEXTS, held_out=False, seed=seed)
    read, written = characters([p.source for p in texts]), characters([p.target for p in texts])
    trained = Trained(Encoder(len(read)), Decoder(len(written)), read, written)
    weights = [*trained.encoder.parameters(), *trained.decoder.parameters()]
    adam = torch.optim.AdamW(weights, lr=RATE, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps, pct_start=0.2)
    for source, target in batches(texts, trained, steps, seed):
        start = torch.full((len(target), 1), written.index(START))
        memory, state = trained.encoder(source)
        logits, _ = trained.decoder.every(torch.cat([start, target[:, :-1]], 1), state, memory)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=written.index(PAD)
        )
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        rate.step()
    trained.encoder.eval()
    trained.decoder.eval()
    return trained


def batches(
    texts: Sequence[Pair], trained: Trained, steps: int, seed: int
) -> Iterator[tuple[Any, Any]]:
    """Ids of texts of one length, which need no mask, and of their translations."""
    by_length: dict[int, list[Pair]] = {}
    for pair in texts:
        by_length.setdefault(len(pair.source), []).append(pair)
    draw = random.Random(seed)  # noqa: S311 # no secret
    sizes = [len(some) for some in by_length.values()]
    read, written = ({c: n for n, c in enumerate(units)} for units in trained[2:])
    for _ in range(steps):
        some = draw.choices(draw.choices([*by_length.values()], sizes)[0], k=BATCH)
        width = max(len(pair.target) for pair in some)
        targets = [[*pair.target, END, *[PAD] * (width - len(pair.target))] for pair in some]
        yield (
            torch.tensor([[read[c] for c in pair.source] for pair in some]),
            torch.tensor([[written[c] for c in target] for target in targets]),
        )


def halve(trained: Trained) -> None:
    """Round all weights to 16 bits, which is what `halved` files have."""
    for network in (trained.encoder, trained.decoder):
        for weights in network.parameters():
            weights.data = weights.data.half().float()


def halved(path: Path) -> None:
    """Have a file's larger tensors in 16 bits, cast to 32 when it is loaded: half the size."""
    proto = onnx.load(path)
    casts = []
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > SMALL:
            name = f"{tensor.name}.half"
            casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, path)


def export(trained: Trained, folder: Path) -> None:
    """Write `dates_encoder.onnx`, `dates_decoder.onnx` and `dates_vocabulary.json`."""
    ids, last = torch.zeros((2, 5), dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    memory, state = trained.encoder(ids)
    rows, length = {0: "rows"}, {0: "rows", 1: "length"}
    torch.onnx.export(
        trained.encoder, (ids,), folder / "dates_encoder.onnx", dynamo=False, opset_version=17,
        input_names=["ids"], output_names=["memory", "state"],
        dynamic_axes={"ids": length, "memory": length, "state": rows},
    )  # fmt: skip
    torch.onnx.export(
        trained.decoder, (last, state, memory), folder / "dates_decoder.onnx", dynamo=False,
        opset_version=17, input_names=["last", "state", "memory"],
        output_names=["logits", "new_state"],
        dynamic_axes={"last": rows, "state": rows, "memory": length, "logits": rows,
                      "new_state": rows},
    )  # fmt: skip
    vocabulary = json.dumps(trained.vocabulary(), ensure_ascii=False)
    (folder / "dates_vocabulary.json").write_text(vocabulary + "\n", "utf-8")


if __name__ == "__main__":
    data = Path(__file__).parent.parent / "data"
    made = train()
    halve(made)
    export(made, data)
    for graph in ("dates_encoder.onnx", "dates_decoder.onnx"):
        halved(data / graph)
    held_out = pairs(1000, held_out=True, seed=1)
    answered = [made.translated(pair.source) for pair in held_out]
    lines = ["text,translation,answered"]
    lines += [f'"{p.source}","{p.target}","{a}"' for p, a in zip(held_out, answered, strict=True)]
    with gzip.GzipFile(data / "dates.csv.gz", "wb", mtime=0) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
    right = sum(pair.target == text for pair, text in zip(held_out, answered, strict=True))
    print(f"{right} of {len(held_out)} held-out dates are exact")
