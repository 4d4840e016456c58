"""Images that are decoded once, and then run many times, as explanations do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.image_files import Unreadable

if TYPE_CHECKING:
    from onnxlet.function.inputs.images import ImageFeed


class Seen(str):
    """A cell of an image's text, with what the feeds of its column make of it.

    Attributes:
        pixels: by feed name, uint8 of shape (height, width, channels).
    """

    pixels: Mapping[str, Array]

    @classmethod
    def of(cls, image: str | bytes, pixels: Mapping[str, Array]) -> Seen:
        """Such a cell; nothing compares its pixels with its text, and bytes need none."""
        cell = cls("" if isinstance(image, bytes) else image)
        cell.pixels = pixels
        return cell


def seen(feeds: Sequence[ImageFeed], blocks: Sequence[Array]) -> list[Array]:
    """The blocks, their images decoded: equal ones only once.

    Args:
        feeds: all of a model's.
        blocks: a table's arrays.

    Raises:
        InvalidRows: with every row and column whose cell is no image that is answered.
        TookTooLong: the time for the request is over.
    """
    arrays, problems = list(blocks), dict[Problem, None]()  # in which each is once
    for at in dict.fromkeys(feed.at for feed in feeds):
        block, position = at
        own, known = [feed for feed in feeds if feed.at == at], dict[str | bytes, Seen]()
        arrays[block] = arrays[block].copy()
        for row, cell in enumerate(arrays[block][:, position].tolist()):
            deadline.check()
            try:
                if cell not in known:
                    known[cell] = Seen.of(cell, {feed.name: feed.pixels(cell) for feed in own})
            except Unreadable as error:
                problems[Problem(row, own[0].column, str(error))] = None
            else:
                arrays[block][row, position] = known[cell]
    if problems:
        raise InvalidRows(sorted(problems, key=lambda problem: problem.row or 0))
    return arrays
