"""Pictures of one's own, in a folder for each person."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from onnxlet.convert.examples import who_is_it
from onnxlet.convert.examples.parts.drawn_faces import drawn
from onnxlet.function.errors import WrongUse


def put(folder: Path, people: str, pictures: int) -> None:
    for number, (name, face) in enumerate(drawn(people.split(), pictures, seed=3)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(folder / name / f"{number:03}.jpg")


def test_people_in_folders_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "people", "Xaver Yuki Zoe", 16)
    monkeypatch.setenv("FOLDER", str(tmp_path / "people"))
    model, X_test, y_test, X_train = who_is_it.build()

    assert list(model.classes_) == ["Xaver", "Yuki", "Zoe", "unknown"]
    assert list(y_test) == [*["Xaver"] * 4, *["Yuki"] * 4, *["Zoe"] * 4]
    assert not set(X_test["picture"]) & set(X_train["picture"])
    assert (model.predict(X_test) == y_test).mean() > 0.7
    strangers = [face for _, face in drawn(["someone else"] * 40, 1, seed=4)]
    assert (model.predict(strangers) == "unknown").mean() > 0.5


def test_too_few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "Xaver Yuki", 3)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    with pytest.raises(WrongUse) as wrong:
        who_is_it.build()
    assert wrong.value.message == f"FOLDER '{tmp_path}' has {{'Xaver': 3, 'Yuki': 3}} pictures"
    assert wrong.value.hint == who_is_it.FEW
