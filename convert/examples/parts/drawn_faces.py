"""Faces that are drawn: each person's own features, each picture in another light and mood."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from onnxlet.function.arrays import Array

SIDE = 96  # pixels of a picture
# What people differ in: of the picture's side, but for tones (0 to 255) and glasses (from 0.7 on).
FEATURES = {
    "width": (0.27, 0.38),
    "height": (0.36, 0.46),
    "skin": (90, 230),
    "hair": (10, 200),
    "fringe": (0.05, 0.22),
    "eyes": (0.1, 0.18),
    "eye": (0.025, 0.055),
    "level": (-0.1, 0.0),
    "brows": (0.05, 0.1),
    "nose": (0.08, 0.2),
    "mouth": (0.06, 0.17),
    "chin": (0.17, 0.26),
    "glasses": (0.0, 1.0),
}


def drawn(names: list[str], pictures: int, seed: int) -> Iterator[tuple[str, Array]]:
    """Some pictures of each person, uint8 of shape (SIDE, SIDE), with their names."""
    random = np.random.default_rng(seed)
    for name in names:
        person = {key: random.uniform(*ends) for key, ends in FEATURES.items()}
        for _ in range(pictures):
            yield name, _picture(person, random)


def _picture(person: dict[str, float], random: np.random.Generator) -> Array:
    """One of a person: turned, off the centre, lit from a side, more or less glad."""
    wall = int(random.integers(90, 170))
    image = Image.new("L", (SIDE, SIDE), wall)
    _draw(ImageDraw.Draw(image), person, random.uniform(-0.05, 0.06))
    turned = image.rotate(
        random.normal(0, 3),
        Image.Resampling.BILINEAR,
        translate=tuple(random.normal(0, 1, 2)),
        fillcolor=wall,
    )
    across = np.linspace(-1, 1, SIDE)
    light = 1 + random.normal(0, 0.15) * across + random.normal(0, 0.1) * across[:, None]
    lit = np.asarray(turned) * light * random.uniform(0.8, 1.15) + random.normal(0, 6, (SIDE, SIDE))
    return lit.clip(0, 255).astype(np.uint8)


def _draw(draw: ImageDraw.ImageDraw, person: dict[str, float], smile: float) -> None:
    """Its lengths are shares of the side, from the middle of the picture."""
    skin, hair, dark = int(person["skin"]), int(person["hair"]), int(person["skin"] * 0.4)

    def oval(x: float, y: float, width: float, height: float, tone: int, line: int = 0) -> None:
        ends = [0.5 + x - width, 0.5 + y - height, 0.5 + x + width, 0.5 + y + height]
        box = [SIDE * end for end in ends]
        draw.ellipse(box, None if line else tone, tone, max(line, 1))

    def stroke(tone: int, *points: float) -> None:
        draw.line([SIDE * (0.5 + each) for each in points], tone, 3)

    width, height, level = person["width"], person["height"], person["level"]
    oval(0, -0.04, width + 0.04, height + 0.03, hair)
    oval(0, person["fringe"] / 2, width, height - person["fringe"] / 2, skin)
    for side in (-1, 1):
        x, size = side * person["eyes"], person["eye"]
        oval(x, level, size * 1.5, size, 240)
        oval(x, level, size * 0.7, size * 0.7, 20)
        brow = level - person["brows"]
        stroke(hair, x - 0.05, brow, x + 0.05, brow)
        if person["glasses"] > 0.7:
            oval(x, level, 0.09, 0.08, 15, 2)
    stroke(dark, 0, level, 0.02, level + person["nose"])
    mouth, chin = person["mouth"], person["chin"]
    stroke(dark, -mouth, chin - smile, 0, chin + smile, mouth, chin - smile)
