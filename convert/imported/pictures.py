"""Pictures that an imported model is tried with: those of a folder, or drawn ones."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxlet.convert.directory.mean_images import png_text
from onnxlet.convert.reference.image_columns import ENDINGS, Outside, file_inside
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, WrongUse
from onnxlet.function.inputs.image_feed import ImageFeed

MOST = 10_000
DRAWN = ((64, 48), (40, 60), (96, 96))  # width and height of those that are drawn
LIST = ".txt"
HINT = (
    "Give a folder of pictures, which count in the order of their names, or a .txt file with the "
    "path of one in each line."
)


def tensor_of(image: Mapping[str, Any], texts: Sequence[str]) -> Array:
    """What the graph is fed with for pictures in base64, rows first.

    The image is the manifest's graph input. InvalidRows: some are no pictures.
    """
    block = np.array(texts, dtype=object).reshape(-1, 1)
    return ImageFeed(image, (0, 0)).gather([block])


def is_pictures(sample: Path) -> bool:
    """Whether a sample is a folder, or a list of paths."""
    return sample.is_dir() or sample.suffix.lower() == LIST


def files_of(sample: Path) -> list[Path]:
    """The pictures of a folder by name, or those that a list names, relative to itself.

    WrongUse: there are none, too many, or some that are not there or lie elsewhere.
    """
    folder = sample if sample.is_dir() else sample.parent
    if sample.is_dir():
        files = sorted(each for each in sample.iterdir() if each.suffix.lower() in ENDINGS)
    elif not sample.is_file():
        raise WrongUse(f"--sample: there is no file '{sample}'", HINT)
    else:
        lines = sample.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        files = [sample.parent / line.strip() for line in lines if line.strip()]
    try:
        gone = [f"'{each}'" for each in files if file_inside(str(each.absolute()), folder) is None]
    except Outside as error:  # by a link, or by a list that came with it
        raise WrongUse(f"--sample: {error}", "Copy it there.") from None
    if gone:
        raise WrongUse(f"--sample: there is no file {', '.join(gone[:8])}", HINT)
    if not 0 < len(files) <= MOST:
        raise WrongUse(
            f"--sample: '{sample}': expected 1 to {MOST} pictures, got {len(files)}", HINT
        )
    return files


def read(sample: Path, image: Mapping[str, Any]) -> tuple[list[str], Array]:
    """The pictures of a sample in base64, and what the graph is fed with.

    WrongUse names all files that are no pictures.
    """
    files = files_of(sample)
    if empty := [f"'{each.name}'" for each in files if not each.stat().st_size]:
        raise WrongUse(f"--sample: expected pictures, got empty files: {', '.join(empty)}", HINT)
    texts = [base64.b64encode(each.read_bytes()).decode() for each in files]
    try:
        return texts, tensor_of(image, texts)
    except InvalidRows as error:
        named = [f"'{files[each.row or 0].name}': {each.detail}" for each in error.problems]
        raise WrongUse(f"--sample: {'; '.join(named)}", HINT) from error


def drawn(image: Mapping[str, Any]) -> tuple[list[str], Array]:
    """A few pictures of no meaning, of other sizes than the graph's, as `read` returns them."""
    texts = [_png(*size, seed) for seed, size in enumerate(DRAWN)]
    return texts, tensor_of(image, texts)


def _png(width: int, height: int, seed: int) -> str:
    """A ramp of colors with a few rectangles on it."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([across, down, (across + down) / 2], axis=-1).astype(np.uint8)
    for _ in range(4):
        left, top = random.integers(0, width - 8), random.integers(0, height - 8)
        right, bottom = left + random.integers(4, width), top + random.integers(4, height)
        pixels[top:bottom, left:right] = random.integers(0, 256, 3)
    return png_text(pixels)
