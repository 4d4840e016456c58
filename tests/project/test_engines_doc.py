"""docs/how-to/engines.md: what is typed there runs, in DuckDB and on a cluster."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from onnxlet.convert.command_line import main
from onnxlet.convert.score.duckdb import ON_ERROR
from onnxlet.convert.sources.source import Source
from tests.conftest import ROOT
from tests.convert.train.candidates import binary
from tests.convert.workers.dask_processes import cluster
from tests.project.test_device_docs import blocks

HOW_TO = (ROOT / "docs" / "how-to" / "engines.md").read_text()


@pytest.fixture
def folder(
    tmp_path: Path, models: Path, sources: Mapping[str, Source], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where a reader is: with models, and a table of houses, one of which is broken."""
    (tmp_path / "models").symlink_to(models)
    houses = sources["house-prices"].X_test.copy()
    number = next(name for name in houses if houses[name].dtype == "float64")
    houses[number] = houses[number].astype(float)
    houses.iloc[3, houses.columns.get_loc(number)] = float("inf")
    houses.to_parquet(tmp_path / "houses.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_queries_answer(
    folder: Path, capsys: pytest.CaptureFixture[str], sources: Mapping[str, Source]
) -> None:
    names: dict[str, object] = {}
    first, second = blocks(HOW_TO, "python")
    exec(first, names)  # noqa: S102 - as its reader does
    assert len(eval(capsys.readouterr().out)) == 3  # noqa: S307
    exec(second, names)  # noqa: S102
    [(prediction, problem)] = eval(capsys.readouterr().out)  # noqa: S307
    assert prediction is None
    assert "column '" in problem


def test_what_is_said_of_the_code_is_so() -> None:
    assert f'`on_error="{ON_ERROR[1]}"`' in HOW_TO


@pytest.mark.engines
def test_the_commands_run_on_a_cluster(folder: Path) -> None:
    data = binary()
    data.X.assign(churn=data.y).to_csv("churn.csv", index=False)
    score, train = (
        shlex.split(block) for block in blocks(HOW_TO, "sh") if block.startswith("onnxlet")
    )
    with cluster(folder / "cluster") as started:
        here = {"s3://bucket/houses": "houses.parquet", "s3://bucket/prices": "prices",
                "tcp://10.0.0.1:8786": started.address, "600": "60"}  # fmt: skip
        for command, models in ((score, "models"), (train, "new")):
            words = [here.get(word, word) for word in command[1:]]
            done = CliRunner().invoke(main, [*words, "--models", models])
            assert done.exit_code == 0, done.output
    assert (folder / "prices").is_dir()
    assert (folder / "new" / "churn" / "1" / "model.onnx").is_file()
