"""The journal's lines in memory are those on disk, or in S3, whenever Ctrl-C comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from onnxlet.convert.score import journal as module
from onnxlet.convert.score.journal import JOURNAL, FileJournal, ObjectJournal
from onnxlet.convert.score.storage import Storage, put, storage_of
from tests.s3_server import running_s3

HEAD: dict[str, Any] = dict.fromkeys(module.HEAD) | {"format": module.FORMAT}
LINE = {"done": True}


def press(*_: object) -> NoReturn:
    """Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(("pressed", "lines"), [("write", []), ("fsync", [LINE])])
def test_ctrl_c_while_a_disk_syncs(
    pressed: str, lines: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def interrupted(path: Path, mode: str = "r", **more: Any) -> Any:
        return press() if mode == "ab" else opened(path, mode, **more)

    begun = FileJournal(tmp_path / JOURNAL)
    begun.begin(HEAD)
    with monkeypatch.context() as patch:
        if pressed == "fsync":
            patch.setattr(os, "fsync", press)
        else:
            patch.setattr(Path, "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            begun.add(LINE)
    assert begun.lines == FileJournal(tmp_path / JOURNAL).lines == lines


@pytest.mark.parametrize(("sent", "lines"), [(False, []), (True, [LINE])])
def test_ctrl_c_while_a_line_is_sent(
    sent: bool, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(place: Storage, path: str, content: bytes) -> None:
        if sent:
            put(place, path, content)
        press()

    with running_s3() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        out = storage_of("s3://bucket/out")
        begun = ObjectJournal(out)
        begun.begin(HEAD)
        with monkeypatch.context() as patch:
            patch.setattr(module, "put", interrupted)
            with pytest.raises(KeyboardInterrupt):
                begun.add(LINE)
        assert begun.lines == ObjectJournal(out).lines == lines
