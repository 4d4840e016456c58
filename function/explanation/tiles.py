"""What each tile of an image adds: the answer to the image, less that with the tile covered.

M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", 2014, section 4.2
(occlusion). Tiles are covered by the background's image where there is one, else by the image's
own mean color.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, RequestTooLarge
from onnxlet.function.inputs.image_feed import DecodedImage, ImageFeed, decoded_once
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np

USUAL = 7  # tiles along an image's shorter side
MOST = 14  # along any side; an image of no more pixels has a tile for each
AT_ONCE = 64  # covered images that are run together, at most
MOST_PIXELS = 64 * 2**20  # of a request's images, a byte each, which are kept until it is over
NOT_ANSWERED = "with a part of the image covered there is no finite answer"
Position = tuple[int, int]  # a block, and a column there


class Tiles(NamedTuple):
    """The tiles of one column's images."""

    rows: int  # of the grid
    columns: int  # of the grid
    # What each tile adds, from left to right and then downwards, float64 of shape (images, rows *
    # columns, numbers).
    gains: Array


def decoded(model: Model, table: CheckedBatch) -> CheckedBatch:
    """The rows, each image decoded once for all the runs that it is a part of.

    Raises InvalidRows with every cell that is no image; RequestTooLarge where all their pixels
    would take too much memory; TookTooLong where the time for the request is over.
    """
    most = max(1, MOST_PIXELS // pixels_of(model))
    if table.rows > most:
        raise RequestTooLarge(
            f"expected at most {most} rows of such images to explain, got {table.rows}",
            "Send them in several requests.",
        )
    return CheckedBatch(table.rows, decoded_once(model.signature.image_feeds, table.arrays))


def pixels_of(model: Model) -> int:
    """Numbers that the graph is fed with for one row's images."""
    return sum(feed.width for feed in model.signature.image_feeds) // 8


def grids(model: Model) -> dict[str, tuple[int, int]]:
    """By column of images, the rows and columns of its grid."""
    return {feeds[0].column: _shape(feeds) for feeds in _by_column(model).values()}


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that are about square; of few pixels one each."""
    if max(height, width) <= MOST:
        return height, width
    side = max(min(height, width) / USUAL, 1)
    return min(MOST, round(height / side)), min(MOST, round(width / side))


def occluded(
    model: Model,
    table: CheckedBatch,
    end: Array,
    background: CheckedBatch | None,
    evaluate: Callable[[CheckedBatch], Array],
) -> dict[str, Tiles]:
    """What the tiles of all images in a table's rows add, by column.

    Images are decoded already, those of the background's first row, too, which cover them. The
    answers, `end` and those of `evaluate`, are float64 of shape (rows, numbers). Raises InvalidRows
    where for a row with a tile covered there is no finite answer; TookTooLong where the time for
    the request is over.
    """
    step = min(AT_ONCE, model.signature.rows_at_once or AT_ONCE)
    found, problems = dict[str, Tiles](), list[Problem]()
    for at, feeds in _by_column(model).items():
        shape = _shape(feeds)
        gains = np.empty((table.rows, shape[0] * shape[1], end.shape[1]))
        for row in range(table.rows):
            cover = None if background is None else background.arrays[at[0]][0, at[1]]
            cells = _covered(table.arrays[at[0]][row, at[1]], cover, shape)
            first = 0
            try:
                while part := list(islice(cells, step)):
                    rows = _with_cells(table, row, at, part)
                    gains[row, first : first + len(part)] = end[row] - evaluate(rows)
                    first += len(part)
            except InvalidRows:
                gains[row] = np.nan
            if not np.isfinite(gains[row]).all():
                problems.append(Problem(row, feeds[0].column, NOT_ANSWERED))
        found[feeds[0].column] = Tiles(*shape, gains)
    if problems:
        raise InvalidRows(problems)
    return found


def _by_column(model: Model) -> dict[Position, list[ImageFeed]]:
    """The feeds of each column of images: a column may be seen in several sizes."""
    found: dict[Position, list[ImageFeed]] = {}
    for feed in model.signature.image_feeds:
        found.setdefault(feed.at, []).append(feed)
    return found


def _shape(feeds: Sequence[ImageFeed]) -> tuple[int, int]:
    """The grid of a column, by the largest size in which it is seen."""
    return grid(*max((feed.size for feed in feeds), key=lambda size: size[0] * size[1]))


def _covered(
    image: DecodedImage, cover: DecodedImage | None, shape: tuple[int, int]
) -> Iterator[DecodedImage]:
    """The image with one tile covered after another, in all sizes in which it is seen."""
    covers = {
        name: _mean_color(pixels) if cover is None else cover.pixels[name]
        for name, pixels in image.pixels.items()
    }
    for tile in product(range(shape[0]), range(shape[1])):
        changed = {}
        for name, pixels in image.pixels.items():
            part = tuple(map(_span, tile, shape, pixels.shape))
            changed[name] = pixels.copy()
            changed[name][part] = covers[name][part]
        yield DecodedImage.of(image, changed)


def _mean_color(pixels: Array) -> Array:
    """An image of one color, of shape (height, width, channels)."""
    mean = np.round(pixels.mean(axis=(0, 1))).astype(np.uint8)
    return np.broadcast_to(mean, pixels.shape)


def _span(number: int, tiles: int, pixels: int) -> slice:
    """One of equal parts to the nearest pixel; at least one, where there are more tiles."""
    start, stop = number * pixels // tiles, (number + 1) * pixels // tiles
    return slice(start, max(stop, start + 1))


def _with_cells(
    table: CheckedBatch, row: int, at: Position, cells: Sequence[DecodedImage]
) -> CheckedBatch:
    """One row again and again, with other cells in one column."""
    arrays = [np.repeat(array[row : row + 1], len(cells), axis=0) for array in table.arrays]
    arrays[at[0]][:, at[1]] = cells
    return CheckedBatch(len(cells), arrays)
