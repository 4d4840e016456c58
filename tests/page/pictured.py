"""Models of pictures for the browser: digits, a picture beside a number, boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet import Images
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import Source
from tests.conftest import quiet
from tests.convert import images
from tests.convert.imported import onnx_files
from tests.convert.imported.photos import classifier
from tests.convert.imported.test_boxes import IMAGE, OPTION, detector
from tests.kept_builds import kept_builds


def digits() -> Source:
    """White on black, 8 by 8 pixels, ten classes."""
    found, labels = images.digits()
    X = pd.DataFrame({"digit": [images.encoded(Image.fromarray(each)) for each in found[:700]]})
    y = labels[:700]
    model = make_pipeline(Images(8, 8), LogisticRegression(C=0.01, max_iter=2000))
    return Source(model.fit(X[:500], y[:500]), X[500:], y[500:], X[:500])


def rooms() -> Source:
    """A photo in colours and a number: red ones are warm, and warmer by the number."""
    random = np.random.default_rng(0)
    red, heat = random.uniform(0, 1, 160), random.normal(size=160)
    tints = [np.full((6, 9, 3), (255 * r, 80, 255 * (1 - r))).astype(np.uint8) for r in red]
    photos = [images.encoded(Image.fromarray(each)) for each in tints]
    X = pd.DataFrame({"photo": photos, "heat": heat})
    columns = make_column_transformer(
        (Images(120, 160, "RGB"), ["photo"]), ("passthrough", ["heat"])
    )
    model = make_pipeline(columns, LogisticRegression(C=1e-6))
    y = np.where(red + heat / 4 > 0.5, "warm", "cold")
    return Source(model.fit(X[:120], y[:120]), X[120:], y[120:], X[:120])


def build_pictured(folder: Path) -> None:
    """`digits` and `rooms` as pipelines, `boxes` and `colours` as imports without a sample."""
    kept_builds({"digits": digits(), "rooms": rooms()}, folder)
    file = onnx_files.save(folder.parent, detector())
    import_onnx(file, "boxes", folder, quiet, images=[IMAGE], boxes=OPTION)
    file = onnx_files.save(folder.parent, classifier(("batch", 3, 12, 16), (2, 3)))
    import_onnx(file, "colours", folder, quiet, images=["x=12x16"])
