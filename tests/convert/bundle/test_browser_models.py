"""What a folder for browsers publishes: no row that is somebody's, and the function as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle.browser import ORJSON, below, place_function, tar_of
from onnxlet.convert.bundle.browser_models import PublicModel, made_up_golden, public_model
from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import Order
from onnxlet.convert.bundle.targets import BROWSER, BROWSER_MACHINE
from onnxlet.convert.directory.golden import GOLDEN_ROWS
from onnxlet.convert.errors import PackagingFailed
from onnxlet.function.models.example import PUBLISHED, example_instance
from onnxlet.function.models.model import load_model
from onnxlet.function.serving.golden import load_proven, replay
from tests.conftest import ROOT
from tests.kept_builds import kept_builds
from tests.page.sites import reviews

PAIRS = [("onnxlet/function", "function"), ("onnxlet/edge/browser", "edge/browser")]

# What only servers use, or what says more of training rows than they answer.
WITHHELD = {"background", "estimate", "origin", "reference", "unusual"}


@pytest.fixture(scope="module")
def built(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model directories, one of them of texts that somebody wrote."""
    texts = kept_builds({"reviews": reviews()}, tmp_path_factory.mktemp("texts"))
    found = {each.name: each / "1" for each in models.iterdir()}
    return found | {"reviews": texts / "reviews" / "1"}


@pytest.fixture(scope="module")
def public(built: dict[str, Path]) -> dict[str, PublicModel]:
    folders = {directory.parent.parent for directory in built.values()}
    return {
        chosen.name: public_model(chosen)
        for folder in folders
        for chosen in choose_models(folder, (), ())
    }


def rows_of(directory: Path, file: str) -> list[Any]:
    path = directory / file
    rows: list[Any] = json.loads(path.read_text())["instances"] if path.exists() else []
    return rows


def test_no_held_out_row_is_published(
    built: dict[str, Path], public: dict[str, PublicModel]
) -> None:
    for name, model in public.items():
        golden = json.loads(model.files[f"{name}/1/golden.json"])
        held_out = rows_of(built[name], "golden.json")
        assert len(golden["instances"]) >= 20, name
        assert held_out, name
        rows = [row if isinstance(row, list) else [*row.values()] for row in held_out]
        assert [row for row in golden["instances"] if row in rows] == [], name
        assert f"{name}/1/background.json" not in model.files


def test_no_text_of_somebody_is_published(
    built: dict[str, Path], public: dict[str, PublicModel]
) -> None:
    texts = {
        cell
        for file in ("golden.json", "background.json")
        for row in rows_of(built["reviews"], file)
        for cell in (row if isinstance(row, list) else row.values())
        if isinstance(cell, str) and len(cell.split()) > 3
    }
    assert len(texts) > 10
    published = b"\n".join(public["reviews"].files.values()).decode("utf-8", "replace")
    assert [each for each in texts if each in published] == []


def test_manifests_have_nothing_that_only_servers_use(
    built: dict[str, Path], public: dict[str, PublicModel]
) -> None:
    held = set[str]()
    for name, model in public.items():
        whole = json.loads((built[name] / "manifest.json").read_text())
        published = json.loads(model.files[f"{name}/1/manifest.json"])
        held |= set(whole)
        assert published.keys() == whole.keys() - WITHHELD | {"statistics"}
        assert published["signature"] == whole["signature"]
        assert set(published["statistics"]) == {"columns"}
        for column, about in published["statistics"]["columns"].items():
            full = whole["statistics"]["columns"][column]
            frequent = [value for value, _ in about.pop("frequent")]
            assert frequent == [value for value, _ in full.get("frequent", ())]
            assert about.items() <= full.items()
            assert about.keys() <= {*PUBLISHED}  # as servers answer it
    assert held & WITHHELD, "no model has what is to be left out"


def test_what_is_published_proves_itself(public: dict[str, PublicModel], tmp_path: Path) -> None:
    for model in public.values():
        for path, content in model.files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        _, rows, faults = load_proven(tmp_path / model.name / str(model.version))
        assert (rows >= 20, faults) == (True, []), model.name


def test_it_is_the_same_each_time(models: Path) -> None:
    one, other = (
        [tar_of(public_model(each).files) for each in choose_models(models, (), ())]
        for _ in range(2)
    )
    assert one == other


def test_the_function_is_the_files_of_the_checkout(tmp_path: Path) -> None:
    order = Order(BROWSER.parts, BROWSER_MACHINE, [], tmp_path / "out", BROWSER.budget)
    root = tmp_path / "function"
    licences = place_function(order, root, tmp_path / "packages")

    placed = below(root)
    for below_root, folder in PAIRS:
        ours = [path for path in placed if path.startswith(f"{below_root}/")]
        assert len(ours) > 3
        for path in ours:
            checkout = ROOT / folder / path.removeprefix(f"{below_root}/")
            assert (root / path).read_bytes() == checkout.read_bytes(), path
    assert (root / ORJSON).read_bytes() == (ROOT / "edge" / "browser" / ORJSON).read_bytes()
    needed = {each.relative_to(ROOT).as_posix() for each in (ROOT / "function").rglob("*.py")}
    assert {f"onnxlet/{each}" for each in needed} <= set(placed)
    assert not [
        path for path in placed if path.endswith((".so", ".pyd")) or "numpy" in path.split("/")
    ]
    assert {"licences/LICENSE", "licences/NOTICE", "licences/pyodide.txt"} <= set(licences)
    assert all(licences.values())


def test_made_up_rows_that_are_refused_are_left_out(built: dict[str, Path]) -> None:
    model = load_model(built["house-prices"])
    columns = [column.name for column in model.signature.columns]
    good = [example_instance(model).get(name) for name in columns]
    bad = ["no number" for _ in columns]

    golden = made_up_golden(model, [good, bad])

    assert golden["instances"] == [good] * (GOLDEN_ROWS // 2)
    assert replay(model, golden) == []
    with pytest.raises(PackagingFailed, match=r"house-prices: no row can be made up .*'no number'"):
        made_up_golden(model, [bad])
