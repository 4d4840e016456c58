"""Pictures as requests have them, made scenes with faces, and how well these are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from onnxlet.convert.directory.background import png_text
from onnxlet.convert.examples.parts import FOLDER, Answer, Scores
from onnxlet.convert.reference.image_columns import ENDINGS
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import Unreadable, pixels

FACES = FOLDER / "faces.npz"
WIDTH, HEIGHT = 320, 240  # of a scene, in pixels
SIDES = (40, 110)  # of a face, likewise
PATCHES = 60  # of something else, behind the faces
ALIKE = 0.4  # boxes that have so much in common (intersection over union) show the same

SHOWN = 5  # pictures that a message names

Box = tuple[float, float, float, float]  # x, y, width, height, in pixels


class Scene(NamedTuple):
    """A picture, and where in it is what should be found."""

    image: Image.Image
    boxes: list[Box]


def as_text(image: Image.Image | Array) -> str:
    """A picture, Pillow's or uint8 (height, width), as a request has it: a PNG file in base64."""
    return png_text(np.asarray(image))


def labelled(folder: Path) -> list[tuple[str, str]]:
    """The pictures in a folder's folders, by path, each with the name of the folder it is in.

    WrongUse where there is no such folder, or pictures in it can't be read; which ones, and why.
    """
    if not folder.is_dir():
        raise WrongUse(f"FOLDER: there is no folder '{folder}'", f"Looked for in {Path.cwd()}.")
    files = sorted(each for each in folder.resolve().glob("*/*") if each.suffix.lower() in ENDINGS)
    wrong = []
    for file in files:
        try:
            pixels(file.read_bytes(), 1, 1, "L", "nearest")
        except (Unreadable, OSError) as error:
            wrong.append(f"'{file.parent.name}/{file.name}': {error}")
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise WrongUse(f"FOLDER '{folder}': {'; '.join(wrong[:SHOWN])}{more}", "Leave them out.")
    return [(str(file), file.parent.name) for file in files]


def faces() -> tuple[Array, Array]:
    """100 faces, and 100 pictures of something else: uint8 of shape (100, 25, 25)."""
    with np.load(FACES) as file:
        return file["images"][:100], file["images"][100:]


def scenes(count: int, seed: int, held_out: bool) -> list[Scene]:
    """Three faces each, at random places and sizes, before patches of something else.

    Held-out ones are made of the last 40 faces and other pictures; others of the first 60.
    """
    random = np.random.default_rng(seed)
    some = [part[60:] if held_out else part[:60] for part in faces()]
    return [_scene(random, *some) for _ in range(count)]


def _scene(random: np.random.Generator, faces: Array, others: Array) -> Scene:
    image = Image.new("L", (WIDTH, HEIGHT), int(random.integers(40, 200)))
    for _ in range(PATCHES):
        (x, y), side = random.integers(-20, (WIDTH, HEIGHT)), int(random.integers(40, 140))
        _paste(image, others[random.integers(len(others))], x, y, side)
    boxes: list[Box] = []
    while len(boxes) < 3:
        box = _anywhere(random)
        if not any(_touch(box, other) for other in boxes):
            _paste(image, faces[random.integers(len(faces))], *box[:3])
            boxes.append(box)
    return Scene(image, boxes)


def _anywhere(random: np.random.Generator) -> Box:
    side = int(random.integers(*SIDES))
    x, y = random.integers(0, (WIDTH - side, HEIGHT - side))
    return float(x), float(y), side, side


def _paste(image: Image.Image, patch: Array, x: float, y: float, side: float) -> None:
    made = Image.fromarray(patch).resize((int(side), int(side)), Image.Resampling.BICUBIC)
    image.paste(made, (int(x), int(y)))


def _touch(one: Box, other: Box) -> bool:
    return bool(in_common([one], [other]) > 0)


def in_common(some: Sequence[Box], others: Sequence[Box]) -> Array:
    """Intersection over union of each pair of boxes: float64 of shape (some, others)."""
    a, b = (np.asarray(each, float).reshape(-1, 4) for each in (some, others))
    a, b = a[:, None], b[None]
    start = np.maximum(a[..., :2], b[..., :2])
    end = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    both = np.clip(end - start, 0, None).prod(axis=-1)
    shares: Array = both / (a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - both)
    return shares


def found(expected: Iterable[Sequence[Box]], got: Iterable[Sequence[Box]]) -> tuple[float, float]:
    """The share of what is there that was found, and the share of what was found that is there.

    Each box that is expected takes the box most like it that no other has taken.
    """
    hits = there = answered = 0
    for boxes, own in zip(expected, got, strict=True):
        shares = in_common(boxes, own)
        while shares.size and shares.max() >= ALIKE:
            row, column = np.unravel_index(np.argmax(shares), shares.shape)
            shares[row], shares[:, column] = 0, 0
            hits += 1
        there, answered = there + len(boxes), answered + len(own)
    return hits / there, hits / max(answered, 1)


def judged(there: Sequence[Scene], answer: Answer, column: str) -> Scores:
    """What an endpoint finds in scenes, beside three boxes of a face's sizes at random."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame({column: [as_text(scene.image) for scene in there]})
    expected = [scene.boxes for scene in there]
    own = [
        [(box["x"], box["y"], box["width"], box["height"]) for box in row]
        for row in answer(rows)["prediction"]
    ]
    chance = [[_anywhere(random) for _ in range(3)] for _ in there]
    pairs = zip(found(expected, own), found(expected, chance), strict=True)
    return dict(zip(("found", "right boxes"), pairs, strict=True))


def sample(folder: Path, scenes: Sequence[Scene]) -> Path:
    """A folder of the scenes' pictures, in their order."""
    (folder / "sample").mkdir()
    for number, scene in enumerate(scenes):
        scene.image.save(folder / "sample" / f"{number:02}.png")
    return folder / "sample"
