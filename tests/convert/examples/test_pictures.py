"""Scenes that are made up, and how well their faces are found."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from onnxlet.convert.examples.parts import pictures
from onnxlet.convert.examples.parts.drawn_faces import SIDE, drawn

SQUARE = (10.0, 10.0, 20.0, 20.0)


def test_what_boxes_have_in_common() -> None:
    half = (20.0, 10.0, 20.0, 20.0)  # 200 of 600 pixels
    away = (30.0, 10.0, 5.0, 5.0)  # touches it
    shares = pictures.in_common([SQUARE], [SQUARE, half, away])
    np.testing.assert_allclose(shares, [[1, 1 / 3, 0]])


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ([[SQUARE], []], (0.5, 1.0)),
        ([[SQUARE, SQUARE], []], (0.5, 0.5)),  # the second has nothing left to find
        ([[], [SQUARE]], (0.0, 0.0)),  # it is in the other picture
        ([[], []], (0.0, 0.0)),
        ([[(11.0, 10.0, 20.0, 20.0)], [(100.0, 100.0, 8.0, 10.0)]], (1.0, 1.0)),
    ],
)
def test_each_box_is_found_once(
    got: list[list[pictures.Box]], expected: tuple[float, float]
) -> None:
    there: list[list[pictures.Box]] = [[SQUARE], [(100.0, 100.0, 10.0, 10.0)]]
    assert pictures.found(there, got) == expected


def test_a_scene_has_its_faces_where_it_says() -> None:
    faces = pictures.faces()[0]
    for held_out, own in ((False, faces[:60]), (True, faces[60:])):
        for scene in pictures.scenes(3, seed=7, held_out=held_out):
            assert np.triu(pictures.in_common(scene.boxes, scene.boxes), 1).max() == 0
            for x, y, side, _ in scene.boxes:
                shown = np.asarray(scene.image.crop((x, y, x + side, y + side)))
                size = (int(side), int(side))
                assert any(
                    (np.asarray(Image.fromarray(face).resize(size, 3)) == shown).all()
                    for face in own
                )


def test_scenes_are_the_same_each_time() -> None:
    first, again = (pictures.scenes(2, seed=1, held_out=True) for _ in range(2))
    assert [scene.boxes for scene in first] == [scene.boxes for scene in again]
    other = pictures.scenes(2, seed=2, held_out=True)
    assert [scene.boxes for scene in first] != [scene.boxes for scene in other]


def test_text_is_the_picture() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read = Image.open(io.BytesIO(base64.b64decode(pictures.as_text(pixels))))
    assert np.asarray(read).tolist() == pixels.tolist()


def test_drawn_people_differ_more_than_their_pictures() -> None:
    people = list(drawn(["a", "b", "a"], 4, seed=0))
    assert [name for name, _ in people] == [*"aaaabbbbaaaa"]
    assert {(face.shape, face.dtype.name) for _, face in people} == {((SIDE, SIDE), "uint8")}
    faces = np.array([face for _, face in people], float).reshape(3, 4, -1)
    within = np.linalg.norm(faces - faces.mean(axis=1, keepdims=True), axis=2).mean()
    middle = faces.mean(axis=1)
    assert np.linalg.norm(middle - middle.mean(axis=0), axis=1).mean() > within / 2
    again = np.array([face for _, face in drawn(["a"], 4, seed=0)], float)
    np.testing.assert_array_equal(again.reshape(4, -1), faces[0])
