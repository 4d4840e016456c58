"""Sessions by ONNX Runtime's library, and by its Python package: one suite, the same answers."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxlet.function.arrays import Array
from onnxlet.function.errors import ModelError
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.runtime import library, package, prepared, session, sessions, tensors
from onnxlet.function.runtime.faults import RuntimeFault, RuntimeMissing
from onnxlet.function.serving.predict import read
from tests.conftest import ROOT
from tests.function.runtime import graphs
from tests.function.runtime.c_functions import INDEX

RANDOM = np.random.default_rng(0)


@pytest.fixture(params=[session, package], ids=["library", "package"])
def binding(request: pytest.FixtureRequest) -> Any:
    return request.param


def array_of(dtype: str, shape: tuple[int, ...]) -> Array:
    """Values of a type, its extremes and what is no number among them."""
    size = int(np.prod(shape))
    if dtype == "string":
        texts = ["", "a", "a\0b", "\0", "für", "你好", "🙂" * 30, "x" * 1000]
        return np.resize(np.array(texts, object), size).reshape(shape)
    if dtype == "bool":
        return np.resize([True, False, False], size).reshape(shape)
    if dtype.startswith("float"):
        about = np.finfo(dtype)
        values = [0.0, -0.0, np.nan, np.inf, -np.inf, about.max, about.smallest_subnormal, 1 / 3]
        return np.resize(np.array(values, dtype), size).reshape(shape)
    bounds = np.iinfo(dtype)
    return np.resize(np.array([bounds.min, bounds.max, 0, 1], dtype), size).reshape(shape)


def assert_same(one: Array, other: Array) -> None:
    """The same type, shape and bits, or texts."""
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype.kind == "O":
        assert one.tolist() == other.tolist()
    else:
        assert one.tobytes() == other.tobytes()


# ---- what goes in comes out


@pytest.mark.parametrize("dtype", graphs.TYPES)
@pytest.mark.parametrize("rows", [0, 1, 3, 4000])
def test_every_type_and_size(binding: Any, dtype: str, rows: int) -> None:
    one = binding.Session(graphs.same(dtype))
    assert (one.inputs, one.outputs) == ({"x": dtype}, {"y": dtype})
    for number in range(4):  # few values are written to tensors that the third run finds there
        x = np.roll(array_of(dtype, (rows, 2)), number, axis=0)
        [y] = one.run(["y"], {"x": x})
        assert_same(y, x)
        assert rows == 0 or y.flags.writeable


@pytest.mark.parametrize("dtype", ["float64", "string"])
def test_arrays_that_are_no_block_of_memory(binding: Any, dtype: str) -> None:
    one = binding.Session(graphs.same(dtype))
    whole = array_of(dtype, (6, 4))
    for _ in range(3):
        for x in (whole[::2, 1:3], whole.T[:2].T, np.asfortranarray(whole[:, :2])):
            assert_same(one.run(None, {"x": x})[0], np.ascontiguousarray(x))
    fixed = np.ascontiguousarray(whole[:, :2])
    fixed.flags.writeable = False
    assert_same(one.run(None, {"x": fixed})[0], fixed)


def test_texts_of_numpys_own_type(binding: Any) -> None:
    one = binding.Session(graphs.same("string"))
    for _ in range(3):
        [y] = one.run(None, {"x": np.array([["a", "bä"]])})
        assert_same(y, np.array([["a", "bä"]], object))


def test_a_scalar_and_a_tensor_of_four_dimensions(binding: Any) -> None:
    for shape in ((), (2, 3, 1, 2)):
        one = binding.Session(graphs.same("float64", shape))
        for _ in range(3):
            x = RANDOM.normal(size=shape)
            assert_same(np.asarray(one.run(None, {"x": np.asarray(x)})[0]), np.asarray(x))


def test_outputs_in_the_order_that_is_asked_for(binding: Any) -> None:
    one = binding.Session(graphs.sums())
    for _ in range(4):
        for rows in (3, 1, 2):
            x = RANDOM.normal(size=(rows, 2))
            passed, total = one.run(["passed", "sum"], {"x": x})
            assert_same(passed, x)
            assert np.allclose(total, x.sum(axis=1, keepdims=True))
            double, _, constant, again = one.run(None, {"x": x})
            assert_same(double, 2 * x)
            assert_same(constant, np.array([1.0, 2.0, 3.0]))
            assert_same(again, x)


def test_an_answer_whose_size_depends_on_the_values(binding: Any) -> None:
    one = binding.Session(graphs.positions())
    for values in ([1, 0, 2], [0, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 1]) * 2:
        [y] = one.run(None, {"x": np.array(values, np.float32)})
        assert y.tolist() == [np.flatnonzero(values).tolist()]


def test_an_answer_is_its_own(binding: Any) -> None:
    """A later run writes to no array that was given out."""
    one = binding.Session(graphs.sums())
    kept = [one.run(["double"], {"x": np.full((1, 2), float(n))})[0] for n in range(5)]
    assert [each[0, 0] for each in kept] == [0, 2, 4, 6, 8]


def fed(dtype: str, number: int, rows: int) -> Any:
    """Rows that differ from those of other numbers; an `If` goes by the first of them."""
    if dtype == "string":
        return np.array([[f"a {number}", f"b {number}"]] * rows, object)
    return np.full((rows, 2), number).astype(dtype)


KEPT = [
    (form, dtype)
    for dtype in ("float64", "float32", "int64", "int32", "string", "bool", "uint8")
    for form in graphs.PASSING
]


@pytest.mark.parametrize(("form", "dtype"), KEPT)
def test_no_answer_is_an_earlier_runs(form: str, dtype: str) -> None:
    """Whatever a graph does not write to the room that it is given; also after a failed run."""
    content = graphs.PASSING[form](dtype)
    one = session.Session(content)
    wanted = ["y", "y"] if form == "asked for twice" else None
    for number in range(12):
        x = fed(dtype, number // 4, 1 + (number % 4 == 3))  # at first 0, as new room has it
        if number % 5 == 4:
            with pytest.raises(RuntimeFault):
                one.run(wanted, {"x": np.zeros((1, 2, 3))})
        expected = session.Session(content).run(wanted, {"x": x})
        for got, known in zip(one.run(wanted, {"x": x}), expected, strict=True):
            assert_same(got, known)


def test_an_answer_that_looks_like_no_answer() -> None:
    """The model is run again, into tensors of its own."""
    one = session.Session(graphs.sums())
    mark = prepared.MARKS[11]
    for number in (1.0, mark / 2, 2.0, mark / 2):
        x = np.full((1, 2), number)
        assert_same(one.run(["double"], {"x": x})[0], 2 * x)
    [runs] = one._runs.values()
    [kept] = runs._idle
    assert (kept.room, kept.may_keep) == ([], False)


def test_room_that_is_written_to_is_kept() -> None:
    one = session.Session(graphs.sums())
    for number in range(3):
        one.run(["double", "sum"], {"x": np.full((1, 2), float(number))})
    [runs] = one._runs.values()
    [kept] = runs._idle
    assert [slot is not None for slot in kept.room] == [True, True]


def test_more_shapes_than_are_kept() -> None:
    one = session.Session(graphs.same("float64"))
    for _ in range(3):
        for rows in range(1, 2 * prepared.MOST_SHAPES):
            x = RANDOM.normal(size=(rows, 2))
            assert_same(one.run(None, {"x": x})[0], x)
    assert len(one._runs) <= prepared.MOST_SHAPES


def test_more_texts_than_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors.Known, "MOST", 10)
    monkeypatch.setattr(tensors, "known", tensors.Known())
    one = session.Session(graphs.same("string"))
    for number in range(30):
        x = np.array([[f"text {number}", "same"]], object)
        assert_same(one.run(None, {"x": x})[0], x)
        assert len(tensors.known) <= 10


# ---- what is refused, in the same words


def said(module: ModuleType, content: bytes | str, *runs: Any) -> list[Any]:
    """The code and the text of each refusal, of opening or of runs."""
    found: list[Any] = []
    try:
        one = module.Session(content)
    except RuntimeFault as error:
        return [(error.code, str(error))]
    for outputs, feeds in runs:
        try:
            found.append([array.tolist() for array in one.run(outputs, feeds)])
        except RuntimeFault as error:
            found.append((error.code, str(error).replace("name:nope", "name: nope")))
    return found


X = np.ones((1, 2))
BAD: dict[str, tuple[bytes | str, list[Any], int]] = {
    "a feed is missing": (graphs.sums(), [(None, {})], 2),
    "an unknown feed": (graphs.sums(), [(None, {"x": X, "z": X})], 2),
    "another type": (graphs.sums(), [(None, {"x": X.astype("f4")})], 2),
    "texts for numbers": (graphs.sums(), [(None, {"x": np.array([["a", "b"]], object)})], 2),
    "another width": (graphs.sums(), [(None, {"x": np.ones((1, 3))})], 2),
    "another rank": (graphs.sums(), [(None, {"x": np.ones(2)})], 2),
    "no such output": (graphs.sums(), [(["nope"], {"x": X})], 2),
    "no model": (b"no model", [], 7),
    "an empty file": (b"", [], 2),
    "half a model": (graphs.sums()[:-100], [], 7),
    "no file": ("/nowhere/model.onnx", [], 3),
    "no such operator": (graphs.sums().replace(b"ReduceSum", b"ReduceXum"), [], 10),
    "it raises": (graphs.chosen(), [(None, {"index": np.array([n])}) for n in (1, 2, 3, 9)], 2),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_refused(what: str) -> None:
    content, runs, code = BAD[what]
    found = said(session, content, *runs)
    assert found[-1][0] == code
    if what != "an empty file":  # the package takes it for the name of a file
        assert found == said(package, content, *runs)


def test_an_answer_that_is_no_tensor() -> None:
    one = session.Session(graphs.sequence())
    assert one.outputs == {"y": ""}
    with pytest.raises(RuntimeFault, match="expected a tensor of numbers or texts"):
        one.run(None, {"x": X})


def test_a_value_of_no_tensors_type() -> None:
    one = session.Session(graphs.same("float64"))
    with pytest.raises(RuntimeFault, match="expected numbers or texts, got complex128"):
        one.run(None, {"x": X.astype(complex)})


def test_a_refusal_leaves_the_session_as_it_was(binding: Any) -> None:
    one = binding.Session(graphs.chosen())
    for index in (1, 2, 9, 3, -99, 4) * 3:
        try:
            answered = one.run(None, {"index": np.array([index])})[0].tolist()
        except RuntimeFault:
            answered = None
        assert answered == (None if abs(index) > 5 else [[2.0 * index, 2.0 * index + 1]])


def test_a_lone_surrogate_has_no_tensor() -> None:
    one = session.Session(graphs.same("string"))
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            one.run(None, {"x": np.array([["a", "\ud800"]], object)})


# ---- threads, processes, ends


def test_64_threads_get_their_own_answers(binding: Any) -> None:
    one = binding.Session(graphs.sums())
    texts = binding.Session(graphs.same("string"))
    wrong: list[object] = []
    begin = threading.Barrier(64)

    def ask(number: int) -> None:
        begin.wait(60)
        for turn in range(50):
            rows = 1 + (number + turn) % 3
            x = np.full((rows, 2), float(number * 100 + turn))
            if (got := one.run(["double"], {"x": x})[0]).tolist() != (2 * x).tolist():
                wrong.append((number, turn, got))
            words = np.full((rows, 2), f"{number} {turn}", object)
            if (got := texts.run(None, {"x": words})[0]).tolist() != words.tolist():
                wrong.append((number, turn, got))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (wrong, [t for t in threads if t.is_alive()]) == ([], [])


def test_another_thread_ends_a_run(binding: Any) -> None:
    one, ending = binding.Session(graphs.endless()), binding.Ending()
    assert not ending.asked
    threading.Timer(0.1, ending.ask).start()
    with pytest.raises(RuntimeFault):
        one.run(None, {"x": np.zeros(1)}, ending)
    assert ending.asked


def test_a_fork_goes_on_with_the_session(binding: Any) -> None:
    one = binding.Session(graphs.sums())
    for _ in range(3):
        one.run(None, {"x": X})
    reading, writing = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - the other process
        try:
            found = one.run(["double"], {"x": 3 * X})[0].tolist()
            anew = binding.Session(graphs.sums()).run(["double"], {"x": X})[0].tolist()
            os.write(writing, json.dumps([found, anew]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert json.loads(pipe.read()) == [[[6.0, 6.0]], [[2.0, 2.0]]]
    assert os.waitpid(child, 0)[1] == 0
    assert one.run(["double"], {"x": X})[0].tolist() == [[2.0, 2.0]]


def test_arrays_beside_the_graph(binding: Any, tmp_path: Path) -> None:
    import mmap

    proto = onnx.load_from_string(graphs.chosen())
    [table] = proto.graph.initializer
    rows = RANDOM.normal(size=(5, 2))
    table.ClearField("raw_data")
    table.data_location = onnx.TensorProto.EXTERNAL
    about = {"location": "beside", "offset": "0", "length": str(rows.nbytes)}
    for key, text in about.items():
        table.external_data.add(key=key, value=text)
    (tmp_path / "beside").write_bytes(rows.tobytes())
    with (tmp_path / "beside").open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    one = binding.Session(proto.SerializeToString(), 1, {"beside": memory})
    del memory
    gc.collect()
    for index in range(5):
        [y] = one.run(None, {"index": np.array([index])})
        assert_same(y, rows[index : index + 1])


def test_a_file_is_opened_by_its_name(binding: Any, tmp_path: Path) -> None:
    file = tmp_path / "für 1.onnx"
    file.write_bytes(graphs.sums())
    one = binding.Session(str(file))
    assert one.run(["double"], {"x": X})[0].tolist() == [[2.0, 2.0]]


# ---- the library itself


def test_the_order_of_its_functions() -> None:
    """As ONNX Runtime's header asserts some of them, at the end of a version of the interface."""
    known = {
        "ReleaseCustomOpDomain": 101, "ReleaseModelMetadata": 118,
        "AddFreeDimensionOverrideByName": 124, "ReleaseAvailableProviders": 126,
        "SetGlobalSpinControl": 149, "ReleaseArenaCfg": 157, "GetCurrentGpuDeviceId": 161,
        "CreateSessionFromArrayWithPrepackedWeightsContainer": 169,
        "GetSparseTensorIndices": 191, "SynchronizeBoundOutputs": 203,
        "SessionOptionsAppendExecutionProvider_MIGraphX": 209, "ReleaseKernelInfo": 218,
        "ReleaseCANNProviderOptions": 224, "GetSessionConfigEntry": 238,
        "GetBuildInfoString": 254, "KernelContext_GetResource": 265,
        "SessionOptionsAppendExecutionProvider_OpenVINO_V2": 275,
        "AddExternalInitializersFromFilesInMemory": 279,
    }  # fmt: skip
    assert {name: INDEX[name] for name in known} == known
    called = {name: index for name, (index, *_) in library.CALLED.items()} | library.RELEASING
    called |= {"GetErrorCode": library.GET_CODE, "GetErrorMessage": library.GET_MESSAGE}
    assert {name: INDEX[name] for name in called} == called


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the functions that are called of a library that is loaded anew."""
    seen: set[str] = set()
    made = ctypes.CFUNCTYPE

    def recording(result: Any, *arguments: Any) -> Callable[[int], Any]:
        def at(address: int) -> Any:
            function = made(result, *arguments)(address)

            def call(*values: Any) -> Any:
                seen.add(names.get(address, ""))
                return function(*values)

            return call

        return at

    table = _table(library.find())
    names = {pointer or 0: name for name, pointer in zip(INDEX, table, strict=True)}
    library._loaded.cache_clear()
    monkeypatch.setattr(ctypes, "CFUNCTYPE", recording)
    yield seen
    monkeypatch.undo()
    library._loaded.cache_clear()


def _table(file: Path) -> Any:
    base = ctypes.CDLL(str(file)).OrtGetApiBase
    base.restype = ctypes.POINTER(ctypes.c_void_p * 2)
    get_api = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(base().contents[0] or 0)
    return (ctypes.c_void_p * len(INDEX)).from_address(get_api(library.VERSION))


def test_each_function_that_is_typed_is_called(calls: set[str], tmp_path: Path) -> None:
    test_every_type_and_size(session, "string", 3)
    test_every_type_and_size(session, "float64", 3)
    test_texts_of_numpys_own_type(session)
    test_what_is_refused("another type")
    test_another_thread_ends_a_run(session)
    test_arrays_beside_the_graph(session, tmp_path)
    test_a_file_is_opened_by_its_name(session, tmp_path)
    gc.collect()
    assert calls - {""} == {
        *library.CALLED, *library.RELEASING, "GetErrorCode", "GetErrorMessage",
    }  # fmt: skip


def test_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "VERSION", 999)
    words = r"libonnxruntime.so.*: expected ONNX Runtime 1\.999 or newer, got 1\.\d+\.\d"
    with pytest.raises(RuntimeMissing, match=words):
        library.Library(library.find())


def test_a_symbol_that_is_missing() -> None:
    other = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "/libc.so" in line
    )
    with pytest.raises(RuntimeMissing, match=r"it can't be loaded: .*OrtGetApiBase"):
        library.Library(Path(other))


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "libonnxruntime.so.1").write_text("no library")
    with pytest.raises(RuntimeMissing, match=r"libonnxruntime.so.1: it can't be loaded: "):
        library.Library(tmp_path / "libonnxruntime.so.1")


@pytest.mark.parametrize("what", ["none", "broken"])
def test_a_start_without_a_library_says_why(models: Path, tmp_path: Path, what: str) -> None:
    """As on a machine whose packages lack it, or have that of another processor."""
    folder = tmp_path / "onnxruntime" / "capi"
    folder.mkdir(parents=True)
    if what == "broken":
        (folder / "libonnxruntime.so.1.32.0").write_bytes(b"\x7fELF of another processor")
    code = "from onnxlet.edge.__main__ import main; main()"
    command = [sys.executable, "-c", code, "serve", "--models", str(models), "--port", "0"]
    (tmp_path / "onnxruntime" / "__init__.py").write_text("")
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    expected = {"none": "expected onnxruntime/capi/libonnxruntime.so.*, got none in",
                "broken": "libonnxruntime.so.1.32.0: it can't be loaded: "}  # fmt: skip
    assert expected[what] in done.stderr
    assert "Traceback" not in done.stderr


def test_which_binding_opens_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    content = graphs.sums()
    for setting, module in (("", session), ("library", session), ("package", package)):
        monkeypatch.setenv("ONNXLET_RUNTIME", setting)
        assert type(sessions.new_session(content)) is module.Session
        assert type(sessions.new_ending()) is module.Ending
        assert sessions.runtime_version() == package.version()
    monkeypatch.setenv("ONNXLET_RUNTIME", "")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert type(sessions.new_session(content)) is package.Session


# ---- every kind of model


def with_both(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """A model, opened both ways."""
    found = []
    for setting in ("library", "package"):
        monkeypatch.setenv("ONNXLET_RUNTIME", setting)
        found.append(load_model(directory))
    return found


def assert_same_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of every model in a folder, for its golden rows together, in parts and one by one."""
    count = 0
    for directory in sorted(folder.glob("*/[0-9]*")):
        one, other = with_both(directory, monkeypatch)
        assert one.output_types == other.output_types
        rows = json.loads((directory / "golden.json").read_bytes())["instances"]
        for size in (len(rows), 3, 1):
            for start in range(0, len(rows), size):
                request = native.from_object(rows[start : start + size])
                table = read(one, request)
                pairs = zip(one.run(table).items(), other.run(table).items(), strict=True)
                for (name, array), (again, expected) in pairs:
                    assert name == again
                    if array.dtype.kind == "O":
                        assert str(array.tolist()) == str(expected.tolist())
                    else:
                        assert_same(array, expected)
        count += 1
    return count


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tasks", "models", "near", "calibrated"])
def test_both_answer_the_same(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assert_same_answers(request.getfixturevalue(kind), monkeypatch) >= 3


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.text(max_size=50), st.text(max_size=50)), min_size=1, max_size=20),
    st.integers(1, 4),
)
def test_any_texts_come_back(texts: list[tuple[str, str]], times: int) -> None:
    x = np.array(texts, object).reshape(-1, 2)
    for module in (session, package):
        for _ in range(times):
            assert TEXTS[module].run(None, {"x": x})[0].tolist() == x.tolist()


TEXTS = {module: module.Session(graphs.same("string")) for module in (session, package)}


def test_a_corrupt_model_says_which_it_is(own: Path) -> None:
    """Whoever altered the manifest's hash, too."""
    directory = own / "iris" / "1"
    graph = directory / "model.onnx"
    was = hashlib.sha256(graph.read_bytes()).hexdigest()
    graph.write_bytes(graph.read_bytes()[:-50])
    manifest = (directory / "manifest.json").read_text()
    now = hashlib.sha256(graph.read_bytes()).hexdigest()
    (directory / "manifest.json").write_text(manifest.replace(was, now))
    with pytest.raises(ModelError, match=r"model iris/1: it does not load: .*INVALID_PROTOBUF"):
        load_model(directory)
