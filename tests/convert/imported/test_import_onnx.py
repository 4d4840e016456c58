"""`python -m convert import`: what is taken, how it is served, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported import onnx_file
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.errors import OnnxletError, WrongUse
from tests.convert.helpers import command, invoked
from tests.convert.imported import onnx_files as made
from tests.convert.imported.importing import ask, client_of, imported
from tests.convert.imported.onnx_files import (
    from_x_to_y,
    node,
    one,
    save,
    save_arrays,
    save_outside,
    value,
)

FEATURES = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
SCORES = made.linear_answers(FEATURES)


# What is taken, and how it is served


def test_with_sample_and_expected_answers_it_is_verified_and_served(tmp_path: Path) -> None:
    built = imported(
        tmp_path, made.linear(), sample={"features": FEATURES}, expected={"scores": SCORES}
    )

    assert (built.version, built.new) == (1, True)
    assert built.manifest["task"] == "function"
    limits = {"minimum": -LARGEST_FLOAT32, "maximum": LARGEST_FLOAT32}
    assert built.manifest["signature"] == {
        "inputs": [
            {
                "name": "features",
                "type": "float32",
                "shape": [-1, 3],
                "columns": [{"name": f"x{n}", "nullable": False} | limits for n in range(3)],
            }
        ],
        "outputs": [{"name": "prediction", "type": "float32", "shape": [-1, 2]}],
    }
    parity = built.manifest["parity"]
    assert (parity["state"], parity["held_out_rows"]) == ("verified", 40)
    assert parity["differing_rows"] == 0
    [graph] = built.manifest["origin"].pop("graphs")
    assert built.manifest["origin"] == {"producer": "frame 2.1", "opsets": {"ai.onnx": 17}}
    assert len(graph["sha256"]) == 64
    assert built.manifest["statistics"]["columns"]["x1"]["missing"] == 0
    assert verify(built.directory)[1] == 24

    rows = FEATURES[:3].tolist()
    answer = ask(tmp_path, rows)
    assert np.allclose(answer["prediction"], SCORES[:3], rtol=1e-5)
    assert answer == ask(
        tmp_path, [dict(zip(("x0", "x1", "x2"), row, strict=True)) for row in rows]
    )
    status, errors = ask(tmp_path, [[1, "a", None]])
    assert (status, [error["column"] for error in errors]) == (422, ["x1", "x2"])


@pytest.mark.parametrize("rows", [0, 40])
def test_without_expected_answers_it_is_unverified(tmp_path: Path, rows: int) -> None:
    sample = {"features": FEATURES[:rows]} if rows else None
    built = imported(tmp_path, made.linear(), sample=sample)

    parity = built.manifest["parity"]
    assert parity["state"] == "unverified"
    assert parity["reason"] == (
        "the sample's answers are ONNX Runtime's own" if rows else "no sample was given"
    )
    golden = json.loads((built.directory / "golden.json").read_bytes())
    assert len(golden["instances"]) == verify(built.directory)[1] == (24 if rows else 0)
    described = client_of(tmp_path).get("/models/net").get_json()
    assert (described["task"], described["parity"]["state"]) == ("function", "unverified")


def test_the_same_file_is_the_same_version(tmp_path: Path) -> None:
    arrays: Any = {"sample": {"features": FEATURES}, "expected": {"scores": SCORES}}
    first = imported(tmp_path, made.linear(), **arrays)
    again = imported(tmp_path, made.linear(), **arrays)
    other = imported(tmp_path, made.linear(opsets={"": 18}), **arrays)

    assert [(b.version, b.new) for b in (first, again, other)] == [(1, True), (1, False), (2, True)]


def of_every_type() -> onnx.ModelProto:
    """An input of width 1 of each kind; adds the numbers, and gives the others back."""
    cast = [
        node("Cast", name, f"f_{name}", to=made.FLOAT) for name in ("half", "double", "int", "byte")
    ]
    return made.model(
        [
            *cast,
            node("Sum", "f_half f_double f_int f_byte", "total"),
            node("Identity", "flag", "flag out".replace(" ", "_")),
            node("Identity", "text", "text_out"),
            node("Identity", "byte", "byte_out"),
        ],
        [
            value("half", made.HALF, ("n", 1)),
            value("double", made.DOUBLE, ("n", 1)),
            value("int", made.INT32, ("n", 1)),
            value("byte", made.UINT8, ("n", 1)),
            value("flag", made.BOOL, ("n",)),
            value("text", made.STRING, ("n", 1)),
        ],
        [
            value("total", dims=("n", 1)),
            value("flag_out", made.BOOL, ("n",)),
            value("text_out", made.STRING, ("n", 1)),
            value("byte_out", made.UINT8, ("n", 1)),
        ],
    )


ROW = {"half": 0.5, "double": 2.25, "int": -7, "byte": 255, "flag": True, "text": "é"}


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return imported(tmp_path_factory.mktemp("typed"), of_every_type())


def test_inputs_of_width_one_are_columns_by_name(typed: Built) -> None:
    inputs = typed.manifest["signature"]["inputs"]
    assert [(entry["name"], entry["type"], entry["shape"]) for entry in inputs] == [
        ("half", "float32", [-1, 1]),
        ("double", "float64", [-1, 1]),
        ("int", "int64", [-1, 1]),
        ("byte", "int64", [-1, 1]),
        ("flag", "bool", [-1, 1]),
        ("text", "string", [-1, 1]),
    ]
    outputs = typed.manifest["signature"]["outputs"]
    assert [entry["type"] for entry in outputs] == ["float32", "bool", "string", "int64"]
    assert ask(typed, [ROW, {**ROW, "byte": 0, "flag": False}]) == {
        "model": "net",
        "version": 1,
        "prediction": [250.75, -4.25],
        "flag_out": [True, False],
        "text_out": ["é", "é"],
        "byte_out": [255, 0],
    }


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("half", 65520),
        ("byte", 256),
        ("byte", -1),
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ("flag", 1),
        ("text", 1),
        ("double", None),
        ("text", None),
        ("int", 0.5),
    ],
)
@pytest.mark.parametrize("others", [0, 700])  # read quickly, row by row or whole
def test_what_a_tensor_does_not_hold_is_refused(
    typed: Built, column: str, cell: Any, others: int
) -> None:
    status, errors = ask(typed, [ROW] * others + [{**ROW, column: cell}])
    assert (status, [(e["row"], e["column"]) for e in errors]) == (422, [(others, column)])


@pytest.mark.parametrize(
    ("column", "cell", "total"),
    [("half", 65519, 65519), ("byte", 0, 0), ("int", -(2**31), -(2.0**31))],
)
def test_the_last_value_that_a_tensor_holds_is_answered(
    typed: Built, column: str, cell: Any, total: float
) -> None:
    row = {**ROW, "half": 0, "double": 0, "int": 0, "byte": 0, column: cell}

    assert ask(typed, [row])["prediction"] == [pytest.approx(total, rel=1e-3)]


def test_several_wide_inputs_have_columns_by_input_and_place(tmp_path: Path) -> None:
    proto = made.model(
        [node("Concat", "left right", "both", axis=1)],
        [value("left", dims=("n", 2)), value("right", dims=("n", 1))],
        [value("both")],
    )
    imported(tmp_path, proto)

    answer = ask(tmp_path, [{"right": 3, "left[0]": 1, "left[1]": 2}, [4, 5, 6]])
    assert answer["prediction"] == [[1, 2, 3], [4, 5, 6]]


def image(batch: int | str) -> onnx.ModelProto:
    kernel = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    return made.model(
        [node("Conv", "image kernel", "map"), node("Flatten", "map", "flat")],
        [value("image", dims=(batch, 1, 4, 4))],
        [value("flat", dims=(batch, 4)), value("map", dims=(batch, 1, 2, 2))],
        {"kernel": kernel},
    )


@pytest.mark.parametrize("batch", ["batch", 1])
def test_an_image_is_sent_flat_and_reaches_its_tensor_in_shape(
    tmp_path: Path, batch: int | str
) -> None:
    pixels = np.random.default_rng(1).normal(size=(5, 1, 4, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(image("batch").SerializeToString())
    flat, maps = session.run(None, {"image": pixels})

    built = imported(
        tmp_path, image(batch), sample={"image": pixels}, expected={"flat": flat, "map": maps}
    )
    [entry] = built.manifest["signature"]["inputs"]
    assert (entry["shape"], len(entry["columns"])) == ([-1, 1, 4, 4], 16)
    answer = ask(tmp_path, pixels.reshape(5, 16).tolist())
    assert np.allclose(answer["prediction"], flat, rtol=1e-5)
    assert np.shape(answer["map"]) == (5, 1, 2, 2)


@pytest.mark.parametrize("batch", [1, 32])
def test_a_fixed_batch_is_freed_where_the_model_runs_so(tmp_path: Path, batch: int) -> None:
    imported(tmp_path, made.linear(batch), sample={"features": FEATURES})

    assert np.allclose(ask(tmp_path, FEATURES.tolist())["prediction"], SCORES, rtol=1e-5)


def test_external_data_are_put_inside(tmp_path: Path) -> None:
    inside = imported(tmp_path, made.linear(), sample={"features": FEATURES})
    told: list[str] = []
    path = save_outside(tmp_path, made.linear())
    outside = imported(tmp_path, path, say=told.append, sample=tmp_path / "sample.npz")

    assert (outside.version, outside.new) == (inside.version, False)
    assert "put into model.onnx: 1" in told[1]


def test_external_data_of_a_branch_are_put_inside(tmp_path: Path) -> None:
    inner = made.linear().graph
    del inner.input[:]
    held = made.save_outside(tmp_path, made.linear())
    branch = onnx.load(held, load_external_data=False).graph
    del branch.input[:]
    proto = made.model(
        [node("If", "yes", "scores", then_branch=branch, else_branch=inner)],
        [value("features")],
        [value("scores", dims=("batch", 2))],
        {"yes": np.array(True)},
    )
    imported(tmp_path, proto, sample={"features": FEATURES}, expected={"scores": SCORES})

    assert np.allclose(ask(tmp_path, FEATURES[:2].tolist())["prediction"], SCORES[:2], rtol=1e-5)


def test_a_label_comes_first_and_probabilities_beside_it(tmp_path: Path) -> None:
    proto = made.model(
        [
            node("Softmax", "x", "probabilities", axis=1),
            node("ArgMax", "x", "place", axis=1, keepdims=0),
            node("Gather", "names place", "prediction"),
        ],
        [value("x")],
        [value("probabilities"), value("prediction", made.STRING, ("batch",))],
        {"names": np.array(["a", "b", "c"], dtype=object)},
    )
    imported(tmp_path, proto)

    answer = ask(tmp_path, [[0, 0, 100], [100, 0, 0]])
    assert answer["prediction"] == ["c", "a"]
    assert np.allclose(answer["probabilities"], [[0, 0, 1], [1, 0, 0]])


def test_an_output_without_rows_is_left_out(tmp_path: Path) -> None:
    proto = made.model(
        [node("Identity", "x", "y"), node("ReduceMean", "x", "loss", keepdims=0)],
        [value("x")],
        [value("y"), value("loss", dims=())],
    )
    told: list[str] = []
    built = imported(tmp_path, proto, say=told.append)

    assert "output 'loss' is left out: it has no entry for each row" in told
    assert [o["name"] for o in built.manifest["signature"]["outputs"]] == ["prediction"]


def test_a_column_is_nullable_where_the_sample_has_it_missing(tmp_path: Path) -> None:
    sample = FEATURES.copy()
    sample[3, 1] = np.nan
    nodes = [node("IsNaN", "x", "gone"), node("Where", "gone zero x", "y")]
    proto = from_x_to_y(*nodes, zero=np.float32(0))
    imported(tmp_path, proto, sample={"x": sample}, expected={"y": np.nan_to_num(sample, nan=0.0)})

    assert ask(tmp_path, [[1, None, 2]])["prediction"] == [[1, 0, 2]]
    assert ask(tmp_path, [[None, 1, 2]])[0] == 422


def test_constants_that_are_inputs_too_need_not_be_sent(tmp_path: Path) -> None:
    proto = made.linear()
    proto.graph.input.append(value("bias", dims=(2,)))
    imported(tmp_path, proto, sample={"features": FEATURES}, expected={"scores": SCORES})

    assert len(ask(tmp_path, [[1, 2, 3]])["prediction"]) == 1


def test_functions_that_the_file_defines_are_its_own_operators(tmp_path: Path) -> None:
    double = helper.make_function(
        "my.ops", "Double", ["a"], ["b"], [node("Add", "a a", "b")], [helper.make_opsetid("", 17)]
    )
    proto = from_x_to_y(node("Double", "x", "y", domain="my.ops"), functions=[double])
    proto.opset_import.extend([helper.make_opsetid("my.ops", 1), helper.make_opsetid("unused", 3)])
    imported(tmp_path, proto)

    assert ask(tmp_path, [[1, 2, 3]])["prediction"] == [[2, 4, 6]]


def test_numbers_that_cancel_count_against_their_usual_size(tmp_path: Path) -> None:
    features, expected = FEATURES[:20].copy(), SCORES[:20].copy()
    features[7] = [-10, 0, 0]  # which cancels the bias
    expected[7] = [1e-7, 10.0]
    built = imported(
        tmp_path, made.linear(), sample={"features": features}, expected={"scores": expected}
    )

    assert verify(built.directory)[1] == 20


# What is refused


def zipmap() -> onnx.ModelProto:
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(made.INT64, helper.make_tensor_type_proto(made.FLOAT, None))
    )
    return made.model(
        [
            node("ArgMax", "x", "label", axis=1, keepdims=0),
            node("ZipMap", "x", "shares", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
        ],
        [value("x")],
        [value("label", made.INT64, ("batch",)), helper.make_value_info("shares", maps)],
        opsets={"": 17, "ai.onnx.ml": 3},
    )


def foreign() -> onnx.ModelProto:
    return made.model(
        [node("Split", "x", "y", domain="ai.onnx.contrib"), node("Twist", "y", "z", domain="q")],
        [value("x")],
        [value("z")],
        opsets={"": 17, "ai.onnx.contrib": 1, "q": 1},
    )


def without_shape() -> onnx.ModelProto:
    proto = one("Identity")
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    return proto


def of_inputs(a_node: Any, *inputs: Any, width: int = 3) -> onnx.ModelProto:
    return made.model([a_node], inputs, [value("y", dims=("batch", width))])


LISTED = helper.make_tensor_sequence_value_info("x", made.FLOAT, ["batch", 3])
REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str, str]] = {
    "opset": (
        lambda: made.linear(opsets={"": 99}),
        r"^the file needs opset 99 of ai.onnx: ONNX Runtime \S+ takes up to \d\d\n",
        r"Export it with a lower one: opset_version=\d\d in torch.onnx.export",
    ),
    "opset of ai.onnx.ml": (
        lambda: made.linear(opsets={"": 17, "ai.onnx.ml": 40}),
        r"^the file needs opset 40 of ai.onnx.ml: ONNX Runtime \S+ takes up to \d\n",
        r"opset",
    ),
    "opset that no integer holds": (
        lambda: made.linear(opsets={"": 2**40}),
        r"needs opset 1099511627776 of ai.onnx",
        r"opset",
    ),
    "IR version": (
        lambda: made.linear(ir_version=40),
        r"^the file is of IR version 40: ONNX Runtime \S+ takes up to \d\d\n",
        r"'model.ir_version = \d\d'",
    ),
    "custom operators": (
        foreign,
        r"that ONNX Runtime \S+ does not have: Split of 'ai.onnx.contrib'; Twist of 'q'\n",
        r"Export without custom operators",
    ),
    "an operator that is none": (
        lambda: one("Twist"),
        r"^ONNX Runtime \S+ does not load it: .*No Op registered for Twist with domain_version",
        r"standard operators",
    ),
    "an operator without a kernel": (
        lambda: one("Erf", element=made.DOUBLE),
        r"^ONNX Runtime \S+ does not load it: Could not find an implementation for Erf",
        r"standard operators",
    ),
    "a graph that is broken": (
        lambda: from_x_to_y(node("Neg", "z", "y")),
        r"^ONNX Runtime \S+ does not load it: ",
        r"Export it",
    ),
    "maps": (zipmap, r"output 'shares' is a seq\(map\(", r"\{'zipmap': False\} in skl2onnx"),
    "a sequence": (
        lambda: of_inputs(node("ConcatFromSequence", "x", "y", axis=0), LISTED),
        r"input 'x' is a seq\(tensor\(float\)\)",
        r"plain tensors",
    ),
    "64 unsigned bits": (
        lambda: made.model(
            [node("Cast", "x", "y", to=made.UINT64)], [value("x")], [value("y", made.UINT64)]
        ),
        r"output 'y' is of uint64, which has no form",
        r"^$",
    ),
    "a number of a type that JSON has not": (
        lambda: one("Identity", element=onnx.TensorProto.BFLOAT16),
        r"input 'x' is a tensor\(bfloat16\), which has no form in a request",
        r"plain tensors",
    ),
    "a scalar": (
        lambda: of_inputs(node("Mul", "x factor", "y"), value("x"), value("factor", dims=())),
        r"input 'factor' has no first dimension",
        r"shape \(rows, …\)",
    ),
    "no shape": (without_shape, r"input 'x' has no first dimension .* or its shape", r"rows"),
    "no inputs": (
        lambda: of_inputs(node("Constant", "", "y", value_floats=[0.0])),
        r"the model has no inputs",
        r"nothing",
    ),
    "texts of a length that varies": (
        lambda: one("Identity", dims=("batch", "length"), element=made.STRING),
        r"input 'x' has the shape \(batch, length\): texts are columns, at most 4096",
        r"--shape 'x=1,8'",
    ),
    "a width of none": (
        lambda: one("Neg", dims=("batch", 0)),
        r"input 'x' has the shape \(batch, 0\): a row has no values",
        r"from 1",
    ),
    "two rows together": (
        lambda: one("ReduceSum", dims=(2, 3), keepdims=1),
        r"output 'y' has the shape \(1, 1\) for 3 rows, and \(1, 1\) for one",
        r"dynamic_axes=\{'x': \{0: 'batch'\}\}",
    ),
    "one answer for all": (
        lambda: one("ReduceSum", keepdims=0),
        r"output 'y' has the shape \(\) for 3 rows, and \(\) for one",
        r"row by row",
    ),
    "rows that are mixed": (
        lambda: one("Softmax", axis=0),
        r"row 0 is answered differently by itself than together with 2 others",
        r"model.eval\(\)",
    ),
    "chance": (
        lambda: one("RandomNormalLike"),
        r"row 0 is answered differently",
        r"no random numbers",
    ),
    "an output called version": (
        lambda: made.model(
            [node("Identity", "x", "y"), node("Neg", "x", "version")],
            [value("x")],
            [value("y"), value("version")],
        ),
        r"output 'version' bears the name of another member",
        r"Export it with another name",
    ),
    "two columns of one name": (
        lambda: of_inputs(
            node("Add", "a a[0]", "y"),
            value("a", dims=("n", 2)),
            value("a[0]", dims=("n", 1)),
            width=2,
        ),
        r"several inputs have a column 'a\[0\]'",
        r"other input names",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_what_is_wrong_and_the_way_out(tmp_path: Path, case: str) -> None:
    make, message, hint = REFUSED[case]
    with pytest.raises(Refusal, match=message) as caught:
        imported(tmp_path, make())

    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400
    assert (caught.value.hint != "") is (hint != "^$")
    assert re.search(hint, caught.value.hint)
    assert not (tmp_path / "models").exists()


def only_one_row() -> onnx.ModelProto:
    return made.model(
        [node("Reshape", "x shape", "y")],
        [value("x", dims=(1, 3))],
        [value("y", dims=(1, 3))],
        {"shape": np.array([1, 3])},
    )


@pytest.mark.parametrize("make", [only_one_row, lambda: one("ReduceSum", dims=(1, 3), keepdims=1)])
def test_a_graph_of_one_row_is_run_row_by_row(tmp_path: Path, make: Any) -> None:
    proto = make()
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    expected = [session.run(None, {"x": row[None]})[0][0] for row in FEATURES[:5]]
    imported(tmp_path, proto)

    answer = ask(tmp_path, FEATURES[:5].tolist())["prediction"]
    assert np.allclose(answer, np.squeeze(expected), rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09", b"\xff" * 100])
def test_what_is_no_onnx_file_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(Refusal, match="is not an ONNX model"):
        imported(tmp_path, path)


def test_a_folder_is_no_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(WrongUse, match=r"^FILE: '.*net\.onnx' is a folder"):
        imported(tmp_path, tmp_path / "net.onnx")


def test_a_cut_off_file_is_reported(tmp_path: Path) -> None:
    path = save(tmp_path, made.linear())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OnnxletError):
        imported(tmp_path, path)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("../net.data", "its data are outside, in '../net.data'"),
        ("inner/../net.data", "its data are outside"),
        ("..\\net.data", "its data are outside"),
        ("/etc/hostname", "its data are outside, in '/etc/hostname'"),
        ("C:/net.data", "its data are outside"),
        ("", "its data are outside"),
        ("gone.data", "there is no file 'gone.data'"),
        ("folder", "there is no file 'folder'"),
        ("link.data", "'link.data' leads out of"),
        ("linked/net.data", "'linked/net.data' leads out of"),
        ("short.data", "'short.data' ends before its data: expected 24 bytes, got 3"),
        ("a\0b", "can't be found"),
    ],
)
def test_external_data_lie_beside_the_file_or_are_refused(
    tmp_path: Path, location: str, message: str
) -> None:
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    path = save_outside(home, made.linear(), location)
    (tmp_path / "net.data").write_bytes((home / "net.data").read_bytes())
    (home / "link.data").symlink_to(tmp_path / "net.data")
    (home / "linked").symlink_to(tmp_path)
    (home / "short.data").write_bytes(b"abc")

    with pytest.raises(Refusal) as caught:
        imported(home, path)
    assert message in caught.value.message
    assert "tensor 'weights'" in caught.value.message


def test_links_within_the_folder_and_to_the_file_are_followed(tmp_path: Path) -> None:
    path = save_outside(tmp_path, made.linear(), "inner/link.data")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "link.data").symlink_to("../net.data")
    imported(tmp_path, path, sample={"features": FEATURES}, expected={"scores": SCORES})


@pytest.mark.parametrize("largest", [100, 250])
def test_more_than_a_file_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    path = save_outside(tmp_path, made.linear())
    assert 100 < path.stat().st_size < 250
    (tmp_path / "net.data").write_bytes(bytes(300))
    proto = onnx.load(path, load_external_data=False)
    proto.graph.initializer[0].external_data[2].value = "300"
    monkeypatch.setattr(onnx_file, "LARGEST_BYTES", largest)

    with pytest.raises(Refusal, match="GiB with its data: at most 2 fit one ONNX file"):
        imported(tmp_path, save(tmp_path, proto))


SAMPLES: dict[str, tuple[Any, ...]] = {  # what is wrong, the message, and what was expected
    "another input": ({"x": FEATURES}, "expected the arrays features, got x"),
    "one input too many": (
        {"features": FEATURES, "x": FEATURES},
        "expected the arrays features, got features, x",
    ),
    "another width": (
        {"features": FEATURES[:, :2]},
        r"'features': expected the shape \(rows, 3\), got \(40, 2\)",
    ),
    "one row, not in rows": ({"features": FEATURES[0]}, r"expected the shape \(rows, 3\)"),
    "no shape": ({"features": np.float32(1)}, r"expected the shape \(rows, 3\), got \(\)"),
    "no rows": ({"features": FEATURES[:0]}, "'features' has 0 rows, expected 1"),
    "text": ({"features": FEATURES.astype(str)}, "'features': expected float32, got <U"),
    "booleans": ({"features": FEATURES > 0}, "'features': expected float32, got bool"),
    "objects": (
        {"features": FEATURES.astype(object)},
        "is not an .npz file of plain arrays: Object arrays cannot be loaded",
    ),
    "another output": (
        {"features": FEATURES},
        "--expected: .* expected the arrays scores, got prediction",
        {"prediction": SCORES},
    ),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_a_sample_that_does_not_fit_is_wrong_use(tmp_path: Path, case: str) -> None:
    sample, message, *expected = SAMPLES[case]
    with pytest.raises(WrongUse, match=message):
        imported(tmp_path, made.linear(), sample=sample, expected=next(iter(expected), None))
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (SCORES + np.array([0, 1e-3]), "prediction differs on 40 of 40 rows by up to 0.001"),
        (SCORES[:-1], r"'scores': expected the shape \(40, 2\), got \(39, 2\)"),
        (SCORES[:, :1], r"'scores': expected the shape \(40, 2\), got \(40, 1\)"),
        (SCORES.astype(int), "'scores': expected float32, got int64"),
        (np.full_like(SCORES, np.nan), "prediction differs on 40 of 40 rows by up to inf"),
    ],
)
def test_other_answers_than_expected_are_refused(
    tmp_path: Path, expected: Any, message: str
) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        imported(
            tmp_path, made.linear(), sample={"features": FEATURES}, expected={"scores": expected}
        )
    assert caught.value.hint
    assert not (tmp_path / "models").exists()


def test_a_sample_that_the_function_refuses_is_reported(tmp_path: Path) -> None:
    sample = FEATURES.copy()
    sample[5, 2] = np.inf
    with pytest.raises(Refusal, match="the sample is refused: row 5, column 'x2': infinity"):
        imported(tmp_path, made.linear(), sample={"features": sample})


def gather() -> onnx.ModelProto:
    """Looks a place up among two: made-up places of 0 and 1 would do, so it asks for 7 and more."""
    return made.model(
        [node("Sub", "place seven", "from_7"), node("Gather", "values from_7", "y")],
        [value("place", made.INT64, ("batch", 1))],
        [value("y", dims=("batch", 1))],
        {"seven": np.array(7), "values": np.array([0.5, 1.5], dtype=np.float32)},
    )


def test_a_model_that_takes_no_made_up_rows_asks_for_a_sample(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="does not run with made-up 1 rows") as caught:
        imported(tmp_path, gather())
    assert "--sample IN.npz" in caught.value.hint

    imported(tmp_path, gather(), sample={"place": np.array([[7], [8]])})
    assert ask(tmp_path, [[8], [7]])["prediction"] == [1.5, 0.5]


# The command


@pytest.mark.long
def test_the_command_prints_what_it_took(tmp_path: Path) -> None:
    save(tmp_path, made.linear())
    save_arrays(tmp_path / "in.npz", features=FEATURES)
    save_arrays(tmp_path / "out.npz", scores=SCORES)
    end = command(
        *("import", "net.onnx", "--name", "net", "--sample", "in.npz", "--expected", "out.npz"),
        cwd=tmp_path,
    )

    assert end.returncode == 0, end.stderr
    assert end.stderr.splitlines()[0] == "  frame 2.1; ai.onnx 17"
    lines = end.stdout.splitlines()
    assert lines[0] == "imported net version 1 from frame 2.1"
    assert "  rows        40 with expected answers: none differs" in lines
    assert lines[-1] == "net version 1 written to models/net/1"

    replayed = invoked("verify", tmp_path / "models" / "net" / "1")
    assert replayed.stdout == "net version 1: 24 golden rows answered as at build\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gone.onnx"], 2, "error: FILE: there is no file 'gone.onnx'"),
        (["net.onnx", "--sample", "gone.npz"], 2, "error: --sample: there is no file 'gone.npz'"),
        (["net.onnx", "--expected", "net.onnx"], 2, "hint: Add --sample IN.npz."),
        (
            ["net.onnx", "--sample", "net.onnx"],
            2,
            "error: --sample: 'net.onnx' is not an .npz file",
        ),
        (["new.onnx"], 1, "error: the file needs opset 99 of ai.onnx"),
    ],
)
def test_errors_of_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    save(tmp_path, made.linear(opsets={"": 99})).rename(tmp_path / "new.onnx")
    save(tmp_path, made.linear())
    monkeypatch.chdir(tmp_path)
    end = invoked("import", *arguments, "--name", "net")

    assert (end.exit_code, end.stdout) == (code, "")
    assert message in end.stderr
    assert "Traceback" not in end.stderr
