"""A translator of dates that PyTorch trains and exports: imported, served, equal to PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.imported.text_options import TextOptions
from tests.convert.helpers import quiet
from tests.convert.imported.importing import ask
from tests.convert.imported.translators import lines

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # of the frameworks' own
    pytest.mark.timeout(900),  # a minute and a half on an idle core
]
HELD_OUT = 1000
RIGHT = 0.99  # of them, exactly


@pytest.fixture(scope="module")
def dates() -> Any:
    pytest.importorskip("torch")
    from onnxlet.convert.examples.training import dates_translated

    return dates_translated


@pytest.fixture(scope="module")
def trained(dates: Any) -> Any:
    return dates.train()


@pytest.fixture(scope="module")
def held_out(dates: Any) -> list[Any]:
    pairs: list[Any] = dates.pairs(HELD_OUT, held_out=True, seed=1)
    return pairs


@pytest.fixture(scope="module")
def own(trained: Any, held_out: list[Any]) -> list[str]:
    """PyTorch's own translations."""
    return [trained.translated(pair.source) for pair in held_out]


@pytest.fixture(scope="module")
def folder(dates: Any, trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dates")
    dates.export(trained, made)
    return made


def imported(folder: Path, decoder: str, texts: list[str], expected: list[str]) -> Built:
    built = import_onnx(
        folder / "dates_encoder.onnx",
        "dates",
        folder / decoder.partition(".")[0] / "models",
        quiet,
        lines(folder / "in.txt", texts),
        lines(folder / "out.txt", expected),
        texts=TextOptions(folder / decoder, folder / "dates_vocabulary.json"),
    )
    assert built.manifest["parity"]["state"] == "verified"
    assert verify(built.directory)[1] == min(len(texts), 24)
    return built


def answers(built: Built, texts: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = ask(built, [{"text": text} for text in texts])
    return found


def test_held_out_dates_are_exact(held_out: list[Any], own: list[str]) -> None:
    right = [text == pair.target for text, pair in zip(own, held_out, strict=True)]
    assert np.mean(right) >= RIGHT


def test_a_decoder_of_steps_answers_as_pytorch(
    folder: Path, held_out: list[Any], own: list[str]
) -> None:
    texts = [pair.source for pair in held_out]
    built = imported(folder, "dates_decoder.onnx", texts, own)

    got = answers(built, texts)
    assert got["prediction"] == own
    for row in range(0, HELD_OUT, 50):
        single = answers(built, texts[row : row + 1])
        assert single["prediction"] == [own[row]]
        assert single["score"] == pytest.approx([got["score"][row]], rel=1e-3, abs=1e-5)
    sure = np.array(got["score"])
    right = np.array([text == pair.target for text, pair in zip(own, held_out, strict=True)])
    assert np.exp(np.median(sure[right])) > 0.8  # of what is right it is nearly sure
    if not right.all():
        assert np.median(sure[~right]) < np.median(sure[right])


def test_a_decoder_of_all_that_was_written_answers_the_same(
    dates: Any, trained: Any, folder: Path, held_out: list[Any], own: list[str]
) -> None:
    import torch

    class Whole(torch.nn.Module):  # type: ignore[misc] # PyTorch has no types here
        def __init__(self) -> None:
            super().__init__()
            self.decoder = trained.decoder

        def forward(self, written: Any, state: Any, memory: Any) -> Any:
            return self.decoder.every(written, state, memory)[0]

    ids = torch.zeros((2, 5), dtype=torch.int64)
    memory, state = trained.encoder(ids)
    torch.onnx.export(
        Whole(), (ids[:, :3], state, memory), folder / "whole.onnx", dynamo=False,
        opset_version=17, input_names=["written", "state", "memory"], output_names=["logits"],
        dynamic_axes={
            "written": {0: "rows", 1: "steps"}, "state": {0: "rows"},
            "memory": {0: "rows", 1: "length"}, "logits": {0: "rows", 1: "steps"},
        },
    )  # fmt: skip
    texts = [pair.source for pair in held_out[:200]]

    built = imported(folder, "whole.onnx", texts, own[:200])
    assert answers(built, texts)["prediction"] == own[:200]


def test_scores_are_pytorchs_logarithms(
    trained: Any, folder: Path, held_out: list[Any], own: list[str]
) -> None:
    import torch

    texts = [pair.source for pair in held_out[:20]]
    built = imported(folder, "dates_decoder.onnx", texts, own[:20])
    wanted = []
    for source, target in zip(texts, own, strict=False):
        ids = [trained.written.index(c) for c in [*target]]
        start, end = (trained.written.index(symbol) for symbol in ("<s>", "</s>"))
        with torch.no_grad():
            memory, state = trained.encoder(torch.tensor([[trained.read.index(c) for c in source]]))
            logits, _ = trained.decoder.every(torch.tensor([[start, *ids]]), state, memory)
        logs = torch.log_softmax(logits[0].double(), -1)
        wanted.append(float(sum(logs[n, each] for n, each in enumerate([*ids, end]))))
    assert np.allclose(answers(built, texts)["score"], wanted, rtol=1e-3, atol=1e-5)
