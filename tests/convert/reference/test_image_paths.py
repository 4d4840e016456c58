"""Images that rows name by paths: read below one folder, refused elsewhere, never waited for."""

from __future__ import annotations

import os
import pickle
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.estimators.images import Images
from onnxlet.convert.imported.images import files_of
from onnxlet.convert.reference.image_columns import with_images_beside
from onnxlet.convert.reference.images import content_of
from onnxlet.convert.sources.skops_sandbox import ask
from onnxlet.convert.sources.source import Source
from onnxlet.convert.train.preparing import InspectedTable, Options, inspect_table
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import Unreadable
from tests.convert.helpers import quiet
from tests.convert.images import digits, written

ROWS = 40
LABELS = ["a", "b"] * (ROWS // 2)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a table with images in it, and one that is nobody's business."""
    table, private = tmp_path / "table", tmp_path / "private"
    for folder in (table, private):
        written(folder, digits()[0][:ROWS])
    (table / "linked").symlink_to(private)
    for row in range(ROWS):
        (table / f"link-{row}.png").symlink_to(private / f"{row}.png")
        (table / f"own-{row}.png").symlink_to(table / f"{row}.png")
    os.mkfifo(table / "pipe.png")
    return table, private


def looked_at(folder: Path, cells: list[Any], **options: Any) -> InspectedTable:
    file = folder / "rows.csv"
    pd.DataFrame({"photo": cells, "label": LABELS}).to_csv(file, index=False)
    return inspect_table(str(file), "label", Options(**options), quiet)


ELSEWHERE: dict[str, Callable[[Path, int], str]] = {
    "a path upwards": lambda private, row: f"../private/{row}.png",
    "an absolute path": lambda private, row: f"{private}/{row}.png",
    "a folder that is a link": lambda private, row: f"linked/{row}.png",
    "a link": lambda private, row: f"link-{row}.png",
    "through a folder that is there": lambda private, row: f"linked/../{private.name}/{row}.png",
}


@pytest.mark.parametrize("form", ELSEWHERE)
@pytest.mark.parametrize("first", [0, 30])
def test_train_opens_no_image_outside_of_the_tables_folder(
    places: tuple[Path, Path], form: str, first: int
) -> None:
    table, private = places
    cells = [f"{row}.png" if row < first else ELSEWHERE[form](private, row) for row in range(ROWS)]

    with pytest.raises(WrongUse, match=f"row {first + 1}, column 'photo': .* lies outside of '"):
        looked_at(table, cells)


def test_one_row_is_enough_and_a_pipe_is_not_waited_for(places: tuple[Path, Path]) -> None:
    table, _ = places
    for odd, why in (
        ("/proc/self/environ", "lies outside of"),
        ("pipe.png", "there is no file 'pipe.png'"),
        ("/dev/zero", "there is no file '/dev/zero'"),
    ):
        cells = [*(f"{row}.png" for row in range(ROWS - 1)), odd]
        with pytest.raises(WrongUse, match=f"row {ROWS}, column 'photo': .*{why}") as error:
            looked_at(table, cells)
        assert "--images-from DIR" in error.value.hint
    with pytest.raises(Unreadable, match="expected a file of at most"):
        content_of(table / "pipe.png")


def test_what_is_inside_is_read_and_an_option_names_another_folder(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, private = places
    for cells, options in (
        ([f"{table}/{row}.png" for row in range(ROWS)], {}),
        ([f"own-{row}.png" for row in range(ROWS)], {}),
        ([f"{row}.png" for row in range(ROWS)], {"images_from": private}),
        ([f"link-{row}.png" for row in range(ROWS)], {"images_from": str(table.parent)}),
    ):
        if "link" in cells[0]:
            cells = [f"table/{cell}" for cell in cells]
        assert [one.kind for one in looked_at(table, cells, **options).columns] == ["image"]
    with pytest.raises(WrongUse, match="--images-from: expected a folder, got 'nowhere'"):
        looked_at(table, cells, images_from="nowhere")
    # A frame's texts are data, too: they are followed below the working directory.
    monkeypatch.chdir(table)
    frame = pd.DataFrame({"photo": [f"../private/{n}.png" for n in range(ROWS)], "label": LABELS})
    with pytest.raises(WrongUse, match=r"row 1, column 'photo': .* lies outside of"):
        inspect_table(frame, "label", Options(), quiet)
    inspect_table(frame, "label", Options(images_from=table.parent), quiet)


def test_a_folder_of_labelled_images_follows_no_link_out_of_it(places: tuple[Path, Path]) -> None:
    table, private = places
    folder = table.parent / "labelled"
    written(folder / "cat", digits()[0][:20])
    (folder / "dog").symlink_to(private)

    with pytest.raises(WrongUse, match=r"row 21, column 'image': .*dog/0.png' lies outside of"):
        inspect_table(str(folder), "label", Options(), quiet)
    found = inspect_table(str(folder), "label", Options(images_from=table.parent), quiet)
    assert set(found.target.y) == {"cat", "dog"}


def test_build_lets_no_estimator_open_a_file_that_a_table_names(places: tuple[Path, Path]) -> None:
    table, private = places
    model = make_pipeline(Images(8, 8), FunctionTransformer())
    encoded = [b64encode((table / f"{row}.png").read_bytes()).decode() for row in range(30)]
    for cells in ([*encoded, f"{private}/1.png"], ["0.png", "link-1.png"], [None, "linked/1.png"]):
        source = Source(model, pd.DataFrame({"photo": cells}), data=table / "rows.csv")
        last = len(cells) - 1
        with pytest.raises(WrongUse, match=rf"--data: row {last} \(counted from 0\), .* lies outs"):
            with_images_beside(source)
    beside = with_images_beside(
        Source(model, pd.DataFrame({"photo": [*encoded, "3.png"]}), data=table / "rows.csv")
    )
    np.testing.assert_array_equal(
        beside.estimator.fit_transform(beside.X_test)[-1], digits()[0][3].ravel()
    )
    # The rows of an MLflow folder's own example have no file.
    example = Source(model, pd.DataFrame({"photo": [f"{private}/1.png"]}))
    with pytest.raises(WrongUse, match="lies outside of"):
        with_images_beside(example, table)
    array = Source(model, np.array([[f"{private}/1.png"]]))
    with pytest.raises(WrongUse, match=r"row 0 .*, column '0': .* lies outside of"):
        with_images_beside(array, table)
    beside = with_images_beside(replace(array, X_test=np.array([["3.png"]])), table)
    np.testing.assert_array_equal(
        beside.estimator.fit_transform(beside.X_test)[0], digits()[0][3].ravel()
    )


def test_a_saved_estimator_is_tried_without_opening_what_rows_name(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, private = places
    cells = [f"{private}/{row}.png" for row in range(3)]
    seen = list[Any]()

    class Seeing(Images):
        def transform(self, X: Any) -> Any:
            seen.extend(np.ravel(X))
            return super().transform(X)

    given = pickle.dumps(("m.skops", [], pd.DataFrame({"photo": cells})))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(given)))
    monkeypatch.setattr(os, "_exit", lambda code: None)
    ask(lambda *_: make_pipeline(Seeing(8, 8).fit([b""])))
    assert seen
    assert not {*cells}.intersection(seen)


def test_a_sample_of_pictures_follows_no_link_out_of_its_folder(places: tuple[Path, Path]) -> None:
    table, private = places
    (table / "pipe.png").unlink()
    with pytest.raises(WrongUse, match=r"--sample: '.*link-0.png' lies outside of"):
        files_of(table)
    (table / "list.txt").write_text("0.png\n../private/1.png\n")
    with pytest.raises(WrongUse, match=r"--sample: .*private/1.png' lies outside of"):
        files_of(table / "list.txt")
    assert len(files_of(private)) == ROWS
