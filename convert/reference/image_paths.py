"""Paths of images in rows that may be a stranger's: files of one folder are read, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxlet.convert.reference.images import content_of, is_path
from onnxlet.convert.tables.rows_file import looked_in
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import Unreadable

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
SHOWN = 100  # characters of a path
ELSEWHERE = "--images-from DIR (images_from in Python) names the folder that images are read from."


class Outside(Unreadable):
    """A text names a file outside of the folder that images are read from; it was not opened."""

    def __init__(self, text: str, root: Path | None) -> None:
        where = f"outside of '{root.absolute()}'" if root else "here, and the table elsewhere"
        super().__init__(f"'{text[:SHOWN]}{'…' * (len(text) > SHOWN)}' lies {where}: not opened")
        # Its name ends as an image's does.
        self.pictured = text.lower().endswith(ENDINGS)


def images_root(folder: str | Path) -> Path:
    """The folder that an option names; WrongUse where it is none."""
    if not Path(folder).is_dir():
        raise WrongUse(f"--images-from: expected a folder, got '{folder}'", looked_in(Path(folder)))
    return Path(folder)


def file_inside(text: str, root: Path | None) -> Path | None:
    """The file that a text names, once links are followed; None where it names none.

    A relative path is one from `root`, the folder outside of which nothing is opened; where that is
    None, nothing may be. Raises Outside where it names a file elsewhere, the working directory's
    among them.
    """
    if not is_path(text):
        return None
    try:
        for folder in (root or Path(), Path()):
            if (path := folder / text).is_file():
                real = path.resolve()
                if root is None or not real.is_relative_to(root.resolve()):
                    raise Outside(text, root)
                return real
    except OSError:  # a name that is too long, as base64 is
        pass
    return None


def located(cell: Any, root: Path | None) -> Any:
    """A cell of a table so that no text in it is left that a file could be opened by.

    Of a text, or Parquet's struct of an image, it is the file, or its content where it is an image
    in base64, or why it is neither; another cell is as it is.
    """
    if isinstance(cell, dict) and "bytes" in cell:
        return cell["bytes"] if cell["bytes"] is not None else located(cell.get("path"), root)
    if not isinstance(cell, str):
        return cell
    try:
        return file_inside(cell, root) or content_of(cell)
    except Unreadable as error:
        return error.with_traceback(None)
