"""Images as evidence: written in every form, moved and blended; never one that can't be read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet import Images
from onnxlet.convert.evidence.drawn_rows import drawn_rows
from onnxlet.convert.evidence.edge_cases import ODD_TEXTS, edge_cases
from onnxlet.convert.evidence.evidence import gather_evidence
from onnxlet.convert.evidence.images import LARGEST, Blends, odd_images
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import LONGEST_IMAGE, Column
from onnxlet.function.inputs.images import pixels
from tests.convert.helpers import objects, reference_of
from tests.convert.images import encoded, faces, noise

NOISE = noise(0, 12, 16)
COLUMN = Column("photo", "string", image=True, longest=LONGEST_IMAGE)


def text(image: Image.Image, form: str = "PNG") -> str:
    return b64encode(encoded(image, form)).decode()


def opened(one: str) -> Image.Image:
    return Image.open(BytesIO(b64decode(one)))


def of_faces() -> tuple[Reference, list[Cells]]:
    """A model of images beside numbers and text, and rows."""
    images, labels = faces()
    frame = pd.DataFrame(
        {
            "photo": objects([encoded(Image.fromarray(one)) for one in images[60:140]]),
            "age": np.arange(80) % 7 / 2,
        }
    )
    model = make_pipeline(
        make_column_transformer((Images(6, 6), ["photo"]), ("passthrough", ["age"])),
        LogisticRegression(max_iter=1000),
    ).fit(frame, labels[60:140])
    return reference_of(Source(model, frame))


def test_they_have_every_form_mode_and_size() -> None:
    made = [opened(one) for one in odd_images(text(NOISE))]

    assert set(Counter(each.format for each in made)) == {
        "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF",
    }  # fmt: skip
    assert {each.mode for each in made} >= {
        "1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16",
    }  # fmt: skip
    sizes = {each.size for each in made}
    assert sizes >= {(16, 12), (12, 16), (8, 6), (32, 24), (1, 1), (1000, 2), (2, 1000)}
    turned = {each.getexif().get(0x0112) for each in made}
    assert turned >= {2, 3, 4, 5, 6, 7, 8}
    assert len({(each.format, each.mode, each.tobytes()) for each in made}) > 40


def test_each_of_them_can_be_read_and_shows_something_else() -> None:
    seen = [pixels(b64decode(one), 12, 16, "RGB", "box") for one in odd_images(text(NOISE))]

    same = sum(bool((each == np.asarray(NOISE)).all()) for each in seen)
    assert len(seen) == 56
    assert same < 10  # in other files


def test_of_a_large_image_they_are_small() -> None:
    made = [opened(one).size for one in odd_images(text(noise(1, 600, 900), "JPEG"))]

    assert max(max(size) for size in made) == 1000
    assert Counter(made).most_common(1)[0][0] == (LARGEST, 171)


def test_nothing_is_made_of_what_can_t_be_read() -> None:
    cut_off = b64encode(encoded(NOISE, "JPEG")[:-200]).decode()

    assert [*odd_images(None), *odd_images("no image"), *odd_images(cut_off)] == []
    random = np.random.default_rng(0)
    assert Blends([None, "no image", cut_off]).drawn([None, "x"], random) == [None, "x"]


def test_blends_lie_between_two_of_the_images() -> None:
    dark, light = Image.new("L", (4, 4), 40), Image.new("L", (4, 4), 200)
    cells = [text(dark), None, text(light)]

    made = Blends(cells).drawn([cells[0]] * 50 + [None], np.random.default_rng(0))

    shades = [np.unique(np.asarray(opened(one))).tolist() for one in made[:50]]
    assert made[50] is None
    assert all(len(one) == 1 and 40 <= one[0] <= 200 for one in shades)
    assert len({one[0] for one in shades}) > 10


def test_drawn_rows_hold_blends_and_no_image_of_the_data() -> None:
    images = faces()[0]
    donors: list[Cells] = [[text(Image.fromarray(one)), row] for row, one in enumerate(images)]

    [made] = drawn_rows([COLUMN, Column("age", "int64")], donors, 1, 100)

    assert len({row[0] for row in made}) == 100
    assert not {row[0] for row in made} & {row[0] for row in donors}
    assert all(opened(row[0]).size == (25, 25) for row in made)


def test_a_column_of_images_is_probed_as_nothing_else_and_gets_no_odd_texts() -> None:
    reference, rows = of_faces()
    column, age = probe_columns(reference, rows)

    assert column == COLUMN
    made = edge_cases([column, age], rows, reference)
    assert not {row[0] for row in made} & {*ODD_TEXTS, None}
    assert all(opened(row[0]).size for row in made)
    assert {None, -1e15} & {row[1] for row in made}
    assert len({row[0] for row in made}) > 200


def test_all_of_it_is_answered() -> None:
    reference, rows = of_faces()

    evidence, judging = gather_evidence(reference, probe_columns(reference, rows), rows)

    assert [*evidence.raising, *judging.raising] == []
    assert (evidence.held_out, evidence.drawn, judging.drawn) == (80, 1000, 1000)
