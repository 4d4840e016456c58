"""What the bench of images serves: a small model and a network, and the photo that is sent."""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from onnxlet import Images
from onnxlet.convert.build import build
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.convert.images import digits, faces, in_all_forms, in_mode, noise
from tests.convert.images import encoded as file_of
from tests.convert.imported.onnx_files import model, node, save, value

SMALL, NETWORK = "digits", "network"
CHANNELS = (3, 32, 64, 128, 256)  # of the network, before and after each convolution
NORMAL = "scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"


def photo() -> bytes:
    """A JPEG of 640 x 480: a photo of scikit-learn's, of a temple in China."""
    image = Image.fromarray(load_sample_image("china.jpg"))
    return file_of(image.resize((640, 480), Image.Resampling.LANCZOS), "JPEG", quality=85)


def build_small(folder: Path) -> None:
    """A logistic regression on 28 x 28 pixels of grey."""
    images, labels = digits()
    estimator = make_pipeline(Images(28, 28), LogisticRegression(C=1e-4, max_iter=300))
    estimator.fit(images[:600], labels[:600])
    build(Source(estimator, images[600:700]), SMALL, folder, lambda line: None)


def build_network(folder: Path) -> None:
    """Four convolutions and a layer of 10 classes, untrained, on 224 x 224 in colors."""
    random = np.random.default_rng(0)
    nodes, constants, seen = [], {}, "x"
    for number, (before, after) in enumerate(pairwise(CHANNELS)):
        weights = random.normal(0, (2 / (9 * before)) ** 0.5, (after, before, 3, 3))
        constants[f"w{number}"] = weights.astype(np.float32)
        nodes.append(node("Conv", f"{seen} w{number}", f"c{number}", strides=[2, 2], pads=[1] * 4))
        nodes.append(node("Relu", f"c{number}", f"r{number}"))
        seen = f"r{number}"
    constants["last"] = random.normal(0, 0.1, (CHANNELS[-1], 10)).astype(np.float32)
    nodes += [node("GlobalAveragePool", seen, "mean"), node("Flatten", "mean", "flat")]
    nodes.append(node("MatMul", "flat last", "scores"))
    inputs, outputs = value("x", dims=("batch", 3, 224, 224)), value("scores", dims=("batch", 10))
    file = save(folder.parent, model(nodes, [inputs], [outputs], constants))
    import_onnx(file, NETWORK, folder, lambda line: None, images=[f"x=224x224,{NORMAL}"])


def equal_pixels(folder: Path) -> tuple[int, int]:
    """Pictures whose pixels are served as the pipeline has them, and how many there were."""
    real = [file_of(Image.fromarray(image)) for image in (*faces()[0], *digits()[0][:150])]
    contents = [*real, *(content for _, content in in_all_forms(149))]
    contents.append(file_of(in_mode(noise(0, 480, 640), "RGB"), "JPEG"))
    estimator = make_union(Images(9, 8), Images(12, 10, "RGB", "lanczos")).fit(real)
    build(Source(estimator, real[::5]), "pixels", folder, lambda line: None)
    client = create_app(folder, settings=Settings(folder, log="off")).test_client()
    rows = [[base64.b64encode(content).decode()] for content in contents]
    answer = client.post("/predict", json={"instances": rows}).get_json()
    same = np.asarray(answer["prediction"]) == estimator.transform(contents)
    return int(same.all(axis=1).sum()), len(contents)
