"""Files of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxlet.convert.imported.sample import read_texts
from onnxlet.function.errors import WrongUse

TEXTS = ["a b", "", "é,\u2028x", "日本"]


def test_every_form_has_the_same_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\r\n".join([*TEXTS, ""]).encode("utf-8-sig"))
    (tmp_path / "b.txt").write_bytes("\n".join(TEXTS).encode())
    (tmp_path / "a.csv").write_bytes('prediction\na b\n\n"é,\u2028x"\n日本\n'.encode())
    (tmp_path / "b.csv").write_bytes('n,text\r\n1,a b\r\n2,\r\n3,"é,\u2028x"\r\n4,日本'.encode())
    np.savez(tmp_path / "a.npz", text=np.array(TEXTS))
    np.savez(tmp_path / "b.npz", other=np.array([TEXTS]).T)
    for name in ("a.txt", "b.txt", "a.csv", "b.csv", "a.npz", "b.npz"):
        assert read_texts(tmp_path / name, "--sample", "text") == TEXTS, name


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json", b"[]", r"expected \.txt, \.csv or \.npz"),
        ("a.txt", b"", "has no texts"),
        ("a.csv", b"", "expected a column 'text', got none"),
        ("a.csv", b"text\n", "has no texts"),
        ("a.csv", b"a,b\n1,2\n", "expected a column 'text', got a, b"),
        ("a.csv", b"a,text\n1,2\n3\n", "row 1: expected 2 fields, got 1"),
        ("a.txt", b"\xff\xfe", "is not text in UTF-8"),
        ("a.npz", b"no archive", "is not an .npz file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongUse, match=why):
        read_texts(tmp_path / name, "--sample", "text")


def test_arrays_of_something_else_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", text=np.array([1, 2]))
    with pytest.raises(WrongUse, match="expected an array of text, one entry a row, got int64"):
        read_texts(tmp_path / "a.npz", "--sample", "text")
    np.savez(tmp_path / "a.npz", text=np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(WrongUse, match=r"of \(2, 2\)"):
        read_texts(tmp_path / "a.npz", "--sample", "text")
