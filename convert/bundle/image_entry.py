"""One file, folder or link of an image."""

from __future__ import annotations

from typing import NamedTuple

from onnxlet.convert.bundle.archive import Content, read

READABLE = 0o644
RUNNABLE = 0o755
USER = 65532  # of no rights, as other images without a shell have it


class Entry(NamedTuple):
    """What stands at one path."""

    content: Content = b""  # of a file, or where it lies
    mode: int = READABLE  # its rights
    link: str | None = None  # what a link points to; None for a file
    folder: bool = False  # it is one
    owner: int = 0  # the user's number. The group is 0, which some platforms run all users in.

    def read(self) -> bytes:
        """A file's content."""
        return read(self.content)


Entries = dict[str, Entry]  # by path, without a leading slash


def folder(mode: int = RUNNABLE, owner: int = 0) -> Entry:
    """An entry of a folder."""
    return Entry(mode=mode, folder=True, owner=owner)


def link(target: str) -> Entry:
    """An entry of a symbolic link."""
    return Entry(mode=0o777, link=target)
