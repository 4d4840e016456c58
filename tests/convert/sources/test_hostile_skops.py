"""Reading a .skops file runs nothing, whatever is in it."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.pipeline import make_pipeline
from skops.io import dump

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.skops_allowlist import MAY_BE_MADE
from tests.convert.sources.hostile_skops import (
    Node,
    assert_harmless,
    import_everything,
    kinds,
    listed,
    mapped,
    names,
    node,
    plain,
    taken_by_the_judge,
    transformer,
    tupled,
    watched,
    written,
)

SAMPLE, OPENED = 200, 100  # names that are judged each time, and files that are read

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a child that is watched")


def refused(path: Path) -> str:
    """The message, once nothing was seen to happen."""
    [told], seen = watched([path])
    assert seen == [], seen[:40]
    assert told is not None, "it was read"
    return told


# what was found to run


def test_a_folder_is_not_deleted_by_what_collects_garbage(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    state = mapped(_istmpdest=plain(True), _destpath=plain(str(folder)))
    where = "numpy.lib._datasource.DataSource"
    schema = node("ObjectNode", where, content=state)

    told = refused(written(tmp_path / "model.skops", schema))

    assert folder.is_dir()
    assert told == f"'model.skops' has types that are not known to be harmless: {where}"


@pytest.mark.parametrize(
    "where",
    ["numpy.distutils.fcompiler.gnu.Popen", "sklearn.datasets._covtype.TemporaryDirectory"],
)
def test_a_class_is_not_known_by_the_module_that_imports_it(tmp_path: Path, where: str) -> None:
    func = node("TypeNode", where)

    told = refused(written(tmp_path / "model.skops", transformer(func)))

    assert told == f"'model.skops' has types that are not known to be harmless: {where}"


def test_text_in_a_distribution_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    where = "scipy.stats._continuous_distns.norm_gen"
    assert isinstance(scipy.stats.norm, scipy.stats._continuous_distns.norm_gen)
    state = mapped(_parse_arg_template=plain(f"open({str(target)!r}, 'w').close()"))

    told = refused(written(tmp_path / "model.skops", node("ObjectNode", where, content=state)))

    assert not target.exists()
    assert where in told


SVC = node("ObjectNode", "sklearn.svm._classes.SVC")
CALLS = {
    "memmap": node(
        "ConstructorFromReduceNode",
        "numpy.memmap",
        content=tupled(map(plain, ["ran", "u1", "w+", 0, 8])),
    ),
    "operator": node("OperatorFuncNode", "operator.call", attrs=tupled([SVC])),
    "method": {**SVC, "__loader__": "MethodNode", "content": {"func": "get_params", "obj": SVC}},
    "function of old": node(
        "FunctionNode", "numpy.log1p", content={"module_path": "os", "function": "system"}
    ),
}


@pytest.mark.parametrize("kind", CALLS)
def test_nothing_is_called_on_the_way(tmp_path: Path, kind: str) -> None:
    protocol = 0 if kind == "function of old" else 2

    told = refused(written(tmp_path / "model.skops", CALLS[kind], protocol=protocol))

    assert "not known to be harmless" in told
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


def test_a_scorer_calls_no_method_but_those_that_answer(tmp_path: Path) -> None:
    path = written(tmp_path / "model.skops", scorer("save_model"))
    assert "not known to be harmless: sklearn.metrics._scorer._Scorer" in refused(path)

    made = load_saved(written(path, scorer("predict")), (), print)
    assert made._response_method == "predict"


def scorer(method: str) -> Node:
    return node("ObjectNode", "sklearn.metrics._scorer._Scorer", content=state_of(method))


def state_of(method: str) -> Node:
    named = {**plain(method), "__id__": 7}
    return mapped(_response_method=named, _sign=plain(1), _kwargs=mapped())


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
@pytest.mark.parametrize("reads", ["filename", "file", np.str_("filename"), np.array("filename")])
def test_no_file_is_opened_that_rows_name(tmp_path: Path, kind: type, reads: Any) -> None:
    (tmp_path / "secret").write_text("a secret of mine")
    text = str(tmp_path / "secret")
    model = kind().fit([text, "others"])
    model.input = reads
    dump(make_pipeline(model), tmp_path / "model.skops")
    where = f"sklearn.feature_extraction.text.{kind.__name__}"
    assert refused(tmp_path / "model.skops").endswith(f"{where} (by what it holds)")

    model.input = "content"
    dump(make_pipeline(model), tmp_path / "model.skops")
    load_saved(tmp_path / "model.skops", (), print)


def test_a_node_can_not_pass_for_another_by_its_id(tmp_path: Path) -> None:
    other = {**plain("save_model"), "__id__": 7}
    path = written(tmp_path / "model.skops", listed([other, scorer("predict")]))

    assert "several nodes bear the id 7, and are not the same" in refused(path)


def test_a_node_that_stands_for_many_is_refused_at_once(tmp_path: Path) -> None:
    deep: Node = {**listed([]), "__id__": 1}
    for level in range(2, 60):  # two to the power of sixty, written out
        deep = {**listed([deep, {**listed([]), "__id__": level - 1}]), "__id__": level}

    assert "and are not the same" in refused(written(tmp_path / "model.skops", deep))


def test_a_partial_of_a_function_that_computes_is_read(tmp_path: Path) -> None:
    bound = {"func": node("FunctionNode", "numpy.clip"), "args": tupled([]), "namespace": mapped()}
    bound["kwds"] = mapped(a_min=plain(0), a_max=plain(1))
    func = node("PartialNode", "functools.partial", content=bound)

    made = load_saved(written(tmp_path / "model.skops", transformer(func)), (), print)

    assert made.transform([[2.0, -1.0]]).tolist() == [[1.0, 0.0]]


# how much it may be


def test_what_unpacks_to_more_than_it_says_is_not_held(tmp_path: Path) -> None:
    path, size = tmp_path / "model.skops", 40_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(size))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 10)))

    tracemalloc.start()
    with pytest.raises(SourceFailed, match="can't be read: BadZipFile: Bad CRC-32"):
        load_saved(path, (), print)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size // 4


def test_what_says_that_it_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(1000))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1000), struct.pack("<I", 2**31)))

    with pytest.raises(SourceFailed, match=r"unpacked it has 2,147,483,648 bytes.* 20 times"):
        load_saved(path, (), print)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_a_schema_that_is_nested_too_deeply_is_refused(tmp_path: Path, deep: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("schema.json", deep)
    with pytest.raises(SourceFailed, match="can't be read: RecursionError"):
        load_saved(tmp_path / "model.skops", (), print)


def test_nodes_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    deep = '{"__loader__": "ListNode", "__module__": "builtins", "__class__": "list", "content": ['
    schema = deep * 900 + "]}" * 900
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("schema.json", schema[:-1] + ', "protocol": 2}')
    with pytest.raises(SourceFailed, match="can't be read: RecursionError"):
        load_saved(tmp_path / "model.skops", (), print)


def test_one_file_in_the_archive_does_not_fill_many_nodes(tmp_path: Path) -> None:
    files = {"zeros.npy": bytes(2**20)}
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="zeros.npy")
    path = written(tmp_path / "model.skops", listed([array] * 1100), files)
    with pytest.raises(SourceFailed, match="unpacked it has 1,153,433,600 bytes"):
        load_saved(path, (), print)


def test_a_sparse_matrix_is_measured_unpacked(tmp_path: Path) -> None:
    inner = tmp_path / "matrix.npz"
    scipy.sparse.save_npz(inner, scipy.sparse.csr_matrix(np.eye(3)))
    size = struct.pack("<I", zipfile.ZipFile(inner).getinfo("data.npy").file_size)
    content = inner.read_bytes().replace(size, struct.pack("<I", 2**31))
    matrix = node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix", type="scipy", file="any")
    path = written(tmp_path / "model.skops", matrix, {"any": content})
    with pytest.raises(SourceFailed, match="unpacked it has"):
        load_saved(path, (), print)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_file_that_was_packed_is_read(tmp_path: Path, compression: int) -> None:
    value = {"array": np.arange(5), "matrix": scipy.sparse.csr_matrix(np.eye(2)), "text": "a"}
    dump(value, tmp_path / "model.skops", compression=compression)

    made = load_saved(tmp_path / "model.skops", (), print)
    assert made["text"] == "a"
    assert made["array"].tolist() == [0, 1, 2, 3, 4]
    assert made["matrix"].toarray().tolist() == [[1, 0], [0, 1]]


# every name, in place of each node


@pytest.fixture(scope="module")
def reachable() -> list[str]:
    return names()


def test_a_sample_of_names_in_place_of_each_node(tmp_path: Path, reachable: list[str]) -> None:
    chosen = random.Random(15)  # noqa: S311 # no secret
    accepted = taken_by_the_judge(chosen.sample(reachable, SAMPLE))
    estimators = [name for name in reachable if name.startswith("sklearn.svm._classes.")]
    accepted += taken_by_the_judge(estimators)
    assert len(accepted) > 20

    assert_harmless(chosen.sample(accepted, min(OPENED, len(accepted))), tmp_path)


LOOSE = {
    "numpy.lib._datasource.DataSource": ("object", "shutil.rmtree"),
    "scipy.stats._continuous_distns.norm_gen": ("object", "exec"),
    "sklearn.datasets._covtype.TemporaryDirectory": ("reduced to nothing", "os.mkdir"),
}


@pytest.mark.parametrize("name", LOOSE)
def test_the_child_sees_what_a_looser_judge_would_let_through(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, event = LOOSE[name]
    for loader in ("ObjectNode", "ConstructorFromReduceNode"):
        monkeypatch.setitem(MAY_BE_MADE, loader, lambda found: isinstance(found, type))

    with pytest.raises(AssertionError, match=event):
        assert_harmless([(name, kind)], tmp_path)


@pytest.mark.gate
def test_every_name_in_place_of_each_node(tmp_path: Path) -> None:
    import_everything()
    everything = names()
    accepted = taken_by_the_judge(everything)
    print(f"{len(everything)} names in each of {len(list(kinds('a.b', '')))} places: ", end="")
    print(f"{len(accepted)} files are read, the others refused")

    assert_harmless(accepted, tmp_path)
