"""Large arrays of graphs: in memory once for several workers, sealed, and compared."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.sources.source import Source
from onnxlet.edge.aggregation.graphs import ALIGNED, LEAST_ARRAY_BYTES, SEALS, SharedGraphs, split
from onnxlet.function.models.model import load_model
from onnxlet.function.runtime.sessions import new_session
from tests.edge.aggregation.links import Links
from tests.kept_builds import kept_builds

WIDTH = 500
linux = pytest.mark.skipif(sys.platform != "linux", reason="has no sealed memory")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with large arrays, and one without."""
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 10))
    y = X[:, 0] + random.normal(size=100)
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        net = MLPRegressor(hidden_layer_sizes=(WIDTH, WIDTH), max_iter=1, random_state=0).fit(X, y)
    fitted = {"net": net, "tree": DecisionTreeRegressor(max_depth=3).fit(X, y)}
    sources = {name: Source(model, X[:50], y[:50]) for name, model in fitted.items()}
    return kept_builds(sources, tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def graph(folder: Path) -> bytes:
    return (folder / "net" / "1" / "model.onnx").read_bytes()


class Opening:
    """A worker's way to open the graph of a model."""

    def __init__(self, folder: Path, links: Links) -> None:
        self.link = links.join()
        self.graphs = SharedGraphs(self.link)
        self._file = folder / "net" / "1" / "model.onnx"

    def open(self) -> Any:
        graph = self._file.read_bytes()
        return self.graphs.open(graph, 1, self._file, hashlib.sha256(graph).hexdigest())

    @property
    def files(self) -> list[int]:
        return [file for _, file, _ in json.loads(self.link.states["graphs"]())]


def answers(session: Any) -> list[bytes]:
    X = np.random.default_rng(1).normal(size=(7, 10))
    [name] = session.inputs
    return [np.asarray(each).tobytes() for each in session.run(None, {name: X})]


def test_a_graph_in_two_parts_is_the_same(graph: bytes) -> None:
    """As ONNX's own reader of protobuf has it."""
    parts = split(graph, "elsewhere")
    file = bytearray(parts.size)
    for start, array in parts.arrays:
        assert start % ALIGNED == 0
        file[start : start + len(array)] = array
    model = onnx.load_from_string(parts.graph)
    large = 0
    for tensor in model.graph.initializer:
        if tensor.external_data:
            about = {each.key: each.value for each in tensor.external_data}
            assert about.pop("location") == "elsewhere"
            start, length = int(about["offset"]), int(about["length"])
            assert length >= LEAST_ARRAY_BYTES
            tensor.raw_data = bytes(file[start : start + length])
            del tensor.external_data[:]
            tensor.ClearField("data_location")
            large += 1
    assert large == len(parts.arrays) > 0
    assert len(parts.graph) < len(graph) / 10
    assert model == onnx.load_from_string(graph)
    biggest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    assert numpy_helper.to_array(biggest).shape == (WIDTH, WIDTH)


def test_what_is_no_protobuf_is_noticed(graph: bytes) -> None:
    for broken in (graph[:-1], b"\x3a\xff", b"\x0f", graph[:5] + b"\xff" * 12):
        with pytest.raises(ValueError, match="byte"):
            split(broken, "elsewhere")
    assert split(b"", "elsewhere") == (b"", [], 0)


@linux
def test_the_second_worker_reads_what_the_first_one_has(folder: Path, graph: bytes) -> None:
    links = Links()
    one, two = Opening(folder, links), Opening(folder, links)
    sessions = [one.open(), two.open(), one.open()]
    assert {answers(each)[0] for each in sessions} == {answers(new_session(graph))[0]}
    files = one.files + two.files
    assert len(files) == 3
    assert len({os.fstat(file).st_ino for file in files}) == 1
    for file in files:
        assert fcntl.fcntl(file, fcntl.F_GET_SEALS) == SEALS
        again = os.open(f"/proc/self/fd/{file}", os.O_RDWR)
        with pytest.raises(PermissionError):
            os.pwrite(again, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(again, 0)
        os.close(again)
    del sessions
    gc.collect()
    assert one.files == two.files == []


@linux
def test_another_s_memory_is_taken_only_if_it_is_sealed_and_equal(
    folder: Path, graph: bytes
) -> None:
    digest = hashlib.sha256(graph).hexdigest()
    parts = split(graph, "shared")
    content = bytearray(parts.size)
    for start, array in parts.arrays:
        content[start : start + len(array)] = array
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    offered: list[int] = []
    for bytes_, seals in ((content, 0), (changed, SEALS), (content[:-ALIGNED], SEALS)):
        file = os.memfd_create("odd", os.MFD_ALLOW_SEALING)
        os.write(file, bytes_)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        offered.append(file)
    links = Links()
    about = [[os.getpid(), file, digest] for file in (*offered, 10**6)]
    links.join().provide("graphs", lambda: json.dumps(about).encode())
    one = Opening(folder, links)
    session = one.open()
    assert answers(session) == answers(new_session(graph))
    [own] = one.files
    assert os.fstat(own).st_ino not in {os.fstat(file).st_ino for file in offered}
    for file in offered:
        os.close(file)


@linux
def test_where_no_memory_can_be_had_each_has_its_own(
    folder: Path, graph: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str, flags: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "memfd_create", fail)
    one = Opening(folder, Links())
    assert answers(one.open()) == answers(new_session(graph))
    assert one.files == []
    assert '"event":"graph"' in capfd.readouterr().err


def test_small_graphs_are_opened_as_they_are(folder: Path) -> None:
    one = Opening(folder, Links())
    small = (folder / "tree" / "1" / "model.onnx").read_bytes()
    assert one.graphs.open(small, 1, folder / "tree" / "1" / "model.onnx", "").inputs
    assert one.files == []


def test_a_session_does_not_hold_its_graph_a_second_time(folder: Path) -> None:
    """ONNX Runtime keeps the bytes that it is given, for providers that are not here."""
    session = load_model(folder / "net" / "1")._session
    held = [each for each in vars(session).values() if isinstance(each, bytes)]
    assert held == []
    assert answers(session)


@linux
def test_what_can_not_be_used_leaves_nothing_open(folder: Path, graph: bytes) -> None:
    links = Links()
    one, other = Opening(folder, links), links.join()
    broken = onnx.load_from_string(graph)
    broken.graph.node[0].op_type = "NoSuchOperator"
    content = broken.SerializeToString()
    with tempfile.TemporaryFile() as file:  # has the number of what was closed meanwhile
        file.write(b"x")
        file.flush()
        state = json.dumps([[os.getpid(), file.fileno(), "digest"]]).encode()
        other.provide("graphs", lambda: state)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            with pytest.raises(Exception, match="NoSuchOperator"):
                one.graphs.open(content, 1, folder / "net" / "1" / "model.onnx", "digest")
        gc.collect()
        # What else runs in this process may have opened some.
        assert len(list(Path("/proc/self/fd").iterdir())) < before + 10
    assert one.files == []
