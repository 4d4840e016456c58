"""Columns of images: found, read at one size, and every one that can't be read named."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from onnxlet.convert.estimators.images import Images
from onnxlet.convert.train.kinds import image as module
from onnxlet.convert.train.kinds.image import ImageColumn, ImageForm, chosen_form, form_named
from onnxlet.convert.train.preparing import InspectedTable, Options, inspect_table, prepare
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import pixels
from tests.convert.helpers import quiet
from tests.convert.images import digits, encoded, in_mode, noise, written

ROWS = 40


def in_base64(image: Image.Image, form: str = "PNG") -> str:
    return b64encode(encoded(image, form)).decode()


def table(cells: list[Any]) -> pd.DataFrame:
    """Cells beside a target that they say nothing of."""
    photos = pd.Series(cells, dtype=object)
    return pd.DataFrame({"photo": photos, "label": ["a", "b"] * (len(cells) // 2)})


def looked_at(data: Any, **options: Any) -> InspectedTable:
    return inspect_table(data, "label", Options(**options), quiet)


def kinds(found: InspectedTable) -> dict[str, str]:
    return {one.name: one.kind for one in found.columns}


@pytest.fixture(scope="module")
def gray() -> list[Image.Image]:
    return [Image.fromarray(image) for image in digits()[0][:ROWS]]


def test_cells_of_every_form_are_the_same_images(
    tmp_path: Path, gray: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path / "photos", digits()[0][:ROWS])
    forms: dict[str, list[Any]] = {
        "bytes": [encoded(image) for image in gray],
        "base64": [in_base64(image) for image in gray],
        "data: URLs": [f"data:image/png;base64,{in_base64(image)}" for image in gray],
        "Pillow's": gray,
        "arrays": list(digits()[0][:ROWS]),
        "paths": paths,
        "Parquet's structs": [{"bytes": encoded(image), "path": "1.png"} for image in gray],
    }
    expected = Images(8, 8).fit_transform(pd.Series(paths, dtype=object))
    for form, cells in forms.items():
        found = looked_at(table(cells))
        assert kinds(found) == {"photo": "image"}, form
        photos = prepare(found, Options(), quiet).X["photo"]
        assert np.array_equal(Images(8, 8).fit_transform(photos), expected), form
        assert {cell.dtype for cell in photos} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_paths_are_from_the_folder_of_the_table(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    paths = written(folder / "photos", digits()[0][:ROWS])
    frame = table([str(path.relative_to(folder)) for path in paths])
    file = folder / f"rows.{form}"
    frame.to_csv(file, index=False) if form == "csv" else frame.to_parquet(file)
    monkeypatch.chdir(tmp_path)

    found = looked_at(str(file.relative_to(tmp_path)))

    assert [one._replace(distinct=0) for one in found.columns] == [
        found.columns[0]._replace(
            name="photo", kind="image", used=True, missing=0, distinct=0, format="8x8 L",
            why="40 PNG; 8x8, mode L; seen at 8x8, in grey",
        )
    ]  # fmt: skip


def test_a_folder_has_a_folder_for_each_label(tmp_path: Path) -> None:
    written(tmp_path / "cat", digits()[0][:20])
    written(tmp_path / "dog", digits()[0][20:40])
    (tmp_path / "cat" / "notes.txt").write_text("no image")

    found = looked_at(str(tmp_path))

    assert kinds(found) == {"image": "image"}
    assert found.target.y.tolist() == ["cat"] * 20 + ["dog"] * 20
    with pytest.raises(WrongUse, match="is a folder without rows or labelled images") as wrong:
        looked_at(str(tmp_path / "cat"))
    assert wrong.value.hint is not None
    assert wrong.value.hint.startswith("Put images into a folder for each label")


def test_words_are_no_images_unless_that_is_said(gray: list[Image.Image]) -> None:
    cells: list[Any] = [in_base64(image) for image in gray]
    assert kinds(looked_at(table(cells), columns={"photo": "text"})) == {"photo": "text"}
    some = [*cells[:4], *(["blue", "blue", "red", "red"] * (ROWS // 4))[4:]]  # a tenth are
    assert kinds(looked_at(table(some))) == {"photo": "category"}
    with pytest.raises(WrongUse) as error:
        looked_at(table(some), columns={"photo": "image"})
    assert "36 things are wrong" in str(error.value)
    with pytest.raises(WrongUse, match="no row has an image"):
        looked_at(table([None] * ROWS), columns={"photo": "image"})


def test_all_that_can_not_be_read_are_named_at_once(gray: list[Image.Image]) -> None:
    cells: list[Any] = [in_base64(image) for image in gray]
    cells[2] = "nowhere.png"
    cells[5] = b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()
    cells[11] = encoded(gray[11])[:80]  # cut off: its head is whole
    tested = table(cells[12:30])
    tested.loc[3, "photo"] = "%PDF-1.7"

    with pytest.raises(WrongUse) as error:
        looked_at(table(cells), test=tested)

    lines = str(error.value).splitlines()
    assert lines[0] == "DATA: 4 things are wrong:"
    assert [line.strip().partition(": ")[0] for line in lines[1:4]] == [
        "row 3, column 'photo'", "row 6, column 'photo'", "row 12, column 'photo'",
    ]  # fmt: skip
    assert lines[4].strip().startswith("--test: row 4, column 'photo': ")


def test_rows_without_an_image_are_left_out(gray: list[Image.Image]) -> None:
    cells: list[Any] = [*gray]
    cells[3] = cells[8] = None

    found = looked_at(table(cells))

    assert len(found.frame) == len(found.target.y) == ROWS - 2
    assert found.target.y.tolist() == [y for at, y in enumerate("ab" * 20) if at not in (3, 8)]
    said = "2 rows of 40 have no image in 'photo': left out, and such a row is refused by the model"
    assert said in found.notes
    assert found.places.numbers.tolist() == [at + 1 for at in range(ROWS) if at not in (3, 8)]


def test_the_same_image_is_on_one_side(gray: list[Image.Image]) -> None:
    cells: list[Any] = [*gray[:30], *gray[:10]]  # also with another label, and other forms
    cells[30] = encoded(gray[0], "BMP")
    frame = table(cells).assign(number=np.arange(ROWS) * 1.5)

    prepared = prepare(looked_at(frame), Options(), quiet)

    said = "10 rows of 40 have the same images as an earlier one: kept, and not apart in training"
    assert [note.startswith(said) for note in prepared.table.notes].count(True) == 1
    test = set(prepared.splits.test.tolist())
    assert all((row in test) == (row + 30 in test) for row in range(10))
    for train, valid in prepared.splits.folds:
        sides = {int(prepared.splits.train[at]): "train" for at in train}
        sides |= {int(prepared.splits.train[at]): "valid" for at in valid}
        assert all(sides.get(row) == sides.get(row + 30) for row in range(10))


def test_images_of_grey_colors_are_grey(gray: list[Image.Image]) -> None:
    plain = looked_at(table([*gray]))
    for mode, form in (("RGB", "PNG"), ("P", "GIF"), ("RGBA", "PNG")):
        cells = [encoded(image.convert(mode), form) for image in gray]
        found = looked_at(table(cells))
        assert found.images["photo"].form == ImageForm(8, 8, "L"), mode
        assert found.images["photo"].pixels.keys() == plain.images["photo"].pixels.keys()


def test_formats_sizes_and_modes_are_counted() -> None:
    cells: list[Any] = [encoded(noise(seed, 40, 60)) for seed in range(30)]
    cells += [encoded(in_mode(noise(seed, 90, 100), "L"), "JPEG") for seed in range(30, 40)]

    [taken] = looked_at(table(cells)).columns

    why = "30 PNG, 10 JPEG; 60x40 to 100x90, mode L and RGB; seen at 32x21, in color"
    assert (taken.why, taken.format) == (why, "21x32 RGB")


def test_a_size_may_be_said(gray: list[Image.Image]) -> None:
    found = looked_at(table([*gray]), columns={"photo": "image 5x12 RGB"})
    assert found.columns[0].format == "5x12 RGB"
    assert {p.shape for p in found.images["photo"].pixels.values()} == {(5, 12, 3)}
    for wish in ("image 5x RGB", "image 0x5 L", "image 5x5 CMYK"):
        with pytest.raises(WrongUse, match="expected 'image' or its size and mode"):
            looked_at(table([*gray]), columns={"photo": wish})
    for form in (ImageForm(28, 28, "L"), ImageForm(7, 300, "RGB")):
        assert form_named(str(form)) == form


class Head:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height


@pytest.mark.parametrize(
    ("sizes", "grey", "rows", "expected"),
    [
        ([(28, 28)] * 3, True, 1000, "28x28 L"),  # as they are
        ([(4, 60)] * 3, True, 1000, "32x4 L"),
        ([(640, 480)] * 3, False, 1000, "24x32 RGB"),
        ([(640, 480), (480, 640), (640, 480)], False, 1000, "24x32 RGB"),  # most of them
        ([(640, 480)] * 3, False, 100_000, "8x9 RGB"),  # 20 million numbers, about
        ([(640, 480)] * 3, True, 10**9, "8x8 L"),
        ([(3, 5)] * 3, True, 10**9, "5x3 L"),
    ],
)  # fmt: skip
def test_the_size_is_of_the_images_and_of_how_many_there_are(
    sizes: list[tuple[int, int]], grey: bool, rows: int, expected: str
) -> None:
    assert str(chosen_form([Head(*size) for size in sizes], grey, rows)) == expected


def test_each_image_is_decoded_once(
    gray: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = [0]
    real = pixels

    def counting(*given: Any) -> Any:
        count[0] += 1
        return real(*given)

    monkeypatch.setattr(module, "pixels", counting)
    prepare(looked_at(table([*gray])), Options(), quiet)
    assert count == [ROWS]


def test_pixels_are_found_by_their_hash() -> None:
    one, other = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    seen = ImageColumn(ImageForm(2, 2, "L"), "", {"a": one, "b": other})
    cells = seen.of(pd.Series(["b", "a", "b"], name="photo", index=[7, 8, 9]))
    assert [cell is expected for cell, expected in zip(cells, [other, one, other], strict=True)]
    assert (cells.name, cells.index.tolist()) == ("photo", [7, 8, 9])
    assert cells.dtype == object
