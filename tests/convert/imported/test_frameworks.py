"""Models of PyTorch and Keras, exported by their own exporters, imported and served."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.function.arrays import Array
from tests.conftest import ROOT
from tests.convert.helpers import invoked
from tests.convert.imported import photos
from tests.convert.imported.importing import ask, imported
from tests.convert.imported.photos import picture

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # of the frameworks' own
]
ROWS = 50


def served(folder: Path, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Any:
    """Import `net.onnx`, verified by the framework's answers, and ask the function all rows."""
    built = imported(folder, folder / "net.onnx", sample=inputs, expected=outputs)
    assert built.manifest["parity"]["state"] == "verified"
    assert verify(built.directory)[1] == 24
    rows = np.hstack([array.reshape(len(array), -1) for array in inputs.values()]).tolist()
    return ask(built, rows)


def features(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=(ROWS, *shape)).astype(np.float32)


# PyTorch


@pytest.fixture(scope="module")
def torch() -> Any:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    return torch


@pytest.fixture(params=["exported program", "TorchScript"])
def export(request: pytest.FixtureRequest, torch: Any) -> Callable[..., None]:
    """PyTorch's two exporters: the newer writes weights beside the file, the older inside."""

    def make(net: Any, folder: Path, example: Any, free: bool = True, **more: Any) -> None:
        if request.param == "TorchScript":
            names = {name: {0: "batch"} for name in more["input_names"] + more["output_names"]}
            more |= {"dynamo": False, "dynamic_axes": names if free else None}
        else:
            more |= {"dynamo": True, "dynamic_shapes": ({0: "batch"},) if free else None}
        net.eval()
        torch.onnx.export(net, (example,), folder / "net.onnx", **more)

    return make


def test_a_pytorch_network_of_numbers(
    tmp_path: Path, torch: Any, export: Callable[..., None]
) -> None:
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 16),
        torch.nn.BatchNorm1d(16),
        torch.nn.ReLU(),
        torch.nn.Dropout(),
        torch.nn.Linear(16, 3),
        torch.nn.Softmax(1),
    )
    x = features(4)
    net(torch.from_numpy(x))  # moves the running means
    export(net, tmp_path, torch.zeros(2, 4), input_names=["x"], output_names=["shares"])

    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    answer = served(tmp_path, {"x": x}, {"shares": expected})
    assert np.allclose(answer["prediction"], expected, atol=1e-6)


def test_a_pytorch_network_of_images(
    tmp_path: Path, torch: Any, export: Callable[..., None]
) -> None:
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 13 * 13, 10),
    )
    x = features(1, 28, 28)
    export(net, tmp_path, torch.zeros(2, 1, 28, 28), input_names=["image"], output_names=["out"])

    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    answer = served(tmp_path, {"image": x}, {"out": expected})
    assert np.allclose(answer["prediction"], expected, atol=1e-5)


def test_a_pytorch_network_in_training_mode_is_refused(tmp_path: Path, torch: Any) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).train()
    torch.onnx.export(
        net,
        (torch.randn(5, 4),),
        tmp_path / "net.onnx",
        dynamo=False,
        training=torch.onnx.TrainingMode.TRAINING,
        input_names=["x"],
        dynamic_axes={"x": {0: "batch"}},
    )
    with pytest.raises(Refusal):
        imported(tmp_path, tmp_path / "net.onnx")


def test_a_fixed_batch_is_freed_or_refused_with_the_way_out(
    tmp_path: Path, torch: Any, export: Callable[..., None]
) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2))
    x = features(2, 3)
    names: Any = {"input_names": ["x"], "output_names": ["y"]}
    export(net, tmp_path, torch.zeros(1, 2, 3), free=False, **names)
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    refusal = None
    try:
        served(tmp_path, {"x": x}, {"y": expected})
    except Refusal as refused:  # a shape with the 1 in it, deep in the graph
        refusal = refused
    if refusal is not None:
        assert "fixed first dimension" in refusal.message
        assert "dynamic_shapes" in refusal.hint
        export(net, tmp_path, torch.zeros(2, 2, 3), **names)
        served(tmp_path, {"x": x}, {"y": expected})


def test_the_example_of_the_documentation(
    tmp_path: Path, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "how-to" / "import.md").read_text()
    [(python, shell), *_] = re.findall(
        r"^```python\n(.*?)^```\s+```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    exec(python, {})  # noqa: S102 - our own page
    [command] = shell.splitlines()
    end = invoked(*command.split()[3:])

    assert end.exit_code == 0, end.stderr
    assert "100 with expected answers: none differs" in end.stdout


# Keras, computing with PyTorch


@pytest.fixture(scope="module")
def keras(torch: Any) -> Any:
    os.environ["KERAS_BACKEND"] = "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    keras.utils.set_random_seed(0)
    return keras


def export_keras(model: Any, folder: Path) -> tuple[list[str], list[str]]:
    """The names of its inputs and outputs in the file."""
    import onnx

    model.export(folder / "net.onnx", format="onnx", verbose=False)
    graph = onnx.load(folder / "net.onnx").graph
    return [entry.name for entry in graph.input], [entry.name for entry in graph.output]


def test_a_keras_network_that_was_trained(tmp_path: Path, keras: Any) -> None:
    x = features(6)
    y = x @ np.arange(6)
    net = keras.Sequential(
        [
            keras.layers.Input((6,), name="features"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    net.compile("adam", "mse")
    net.fit(x, y, epochs=3, verbose=0)
    inputs, outputs = export_keras(net, tmp_path)
    expected = net.predict(x, verbose=0)

    answer = served(tmp_path, {inputs[0]: x}, {outputs[0]: expected})
    assert inputs == ["features"]
    assert np.allclose(answer["prediction"], expected[:, 0], atol=1e-5)


def test_a_keras_network_of_several_inputs_and_outputs(tmp_path: Path, keras: Any) -> None:
    left, right = keras.Input((2,), name="left"), keras.Input((1,), name="right")
    both = keras.layers.Concatenate()([left, right])
    net = keras.Model([left, right], [keras.layers.Dense(2)(both), keras.layers.Dense(1)(right)])
    x = [features(2), features(1)]
    first, second = net.predict(x, verbose=0)
    inputs, outputs = export_keras(net, tmp_path)

    answer = served(
        tmp_path,
        dict(zip(inputs, x, strict=True)),
        dict(zip(outputs, (first, second), strict=True)),
    )
    assert np.allclose(answer["prediction"], first, atol=1e-5)
    assert np.allclose(answer[outputs[1]], second[:, 0], atol=1e-5)


def test_a_keras_network_of_images(tmp_path: Path, keras: Any) -> None:
    net = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1), name="image"),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    x = features(28, 28, 1)
    expected = net.predict(x, verbose=0)
    inputs, outputs = export_keras(net, tmp_path)

    answer = served(tmp_path, {inputs[0]: x}, {outputs[0]: expected})
    assert np.allclose(answer["prediction"], expected, atol=1e-6)


def test_a_photo_is_answered_as_by_pytorch(torch: Any, tmp_path: Path) -> None:
    """With torchvision's preprocessing written out: Pillow's resize, ToTensor and Normalize."""
    folder = photos.folder_of(tmp_path / "photos", [picture(300, 200, n) for n in range(ROWS)])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    seen = [
        torch.from_numpy(photos.seen(picture(300, 200, n), 32, 32).astype(np.uint8))
        .permute(2, 0, 1)
        .float()
        .div(255)
        for n in range(ROWS)
    ]
    inputs = (torch.stack(seen) - mean[:, None, None]) / std[:, None, None]
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(8, 4), torch.nn.Softmax(dim=1),
    ).eval()  # fmt: skip
    torch.onnx.export(
        net, (inputs[:2],), tmp_path / "net.onnx", input_names=["photo"], output_names=["shares"],
        dynamo=False, dynamic_axes={"photo": {0: "batch"}},
    )  # fmt: skip
    with torch.no_grad():
        shares = net(inputs).numpy()
    option = "photo=32x32,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"

    built = imported(
        tmp_path,
        tmp_path / "net.onnx",
        sample=folder,
        expected={"shares": shares},
        images=[option],
    )

    assert built.manifest["parity"]["state"] == "verified"
    texts = [photos.text(picture(300, 200, n)) for n in range(ROWS)]
    assert np.allclose(photos.predictions(tmp_path, texts), shares, atol=1e-5)
