"""Dates in ten languages, translated into one another: a network that writes text for text.

"de> Sep 21, 2021" becomes "21. September 2021". PyTorch trained and exported the encoder and the
decoder (`training/dates_translated.py`); the function needs none of it.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.examples.parts import FOLDER, Answer, Scores
from onnxlet.convert.imported.text_options import TextOptions

DATA = FOLDER


def model(folder: Path) -> dict[str, Any]:
    """What `import_onnx` takes: both graphs, and what PyTorch answered to held-out dates."""
    dates = held_out()
    dates[["text"]].to_csv(folder / "sample.csv", index=False)
    dates[["answered"]].to_csv(folder / "expected.csv", index=False)
    return {
        "path": DATA / "dates_encoder.onnx",
        "sample": folder / "sample.csv",
        "expected": folder / "expected.csv",
        "texts": TextOptions(DATA / "dates_decoder.onnx", DATA / "dates_vocabulary.json"),
    }


def held_out() -> pd.DataFrame:
    """Dates of days that no text of the training had."""
    return pd.read_csv(DATA / "dates.csv.gz")


def scores(answer: Answer) -> Scores:
    """The share that is translated exactly; the baseline repeats what it reads."""
    dates = held_out()
    got = pd.Series(answer(dates[["text"]])["prediction"])
    repeated = dates["text"].str.split("> ", n=1).str[1]
    return {
        "exact": (
            float((got == dates["translation"]).mean()),
            float((repeated == dates["translation"]).mean()),
        )
    }
