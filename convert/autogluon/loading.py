"""Reading a predictor's folder: what answers for it, and the estimators made of it here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from onnxlet.convert.autogluon.folder import needed_by, version_of
from onnxlet.convert.autogluon.predictor import predictor_of
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.older.elsewhere import Elsewhere, Link, of_path
from onnxlet.convert.older.environment import python_of
from onnxlet.convert.older.old_model import unreadable
from onnxlet.convert.older.rebuilt import Rebuilding
from onnxlet.convert.progress import Report
from onnxlet.function.errors import WrongUse

READER = Path(__file__).with_name("predictor_there.py")
SHOWN = 20  # models
NOT_DESCRIBED = "NotDescribed"  # raised there


def read_predictor(folder: Path, model: str | None, report: Report) -> tuple[Pipeline, Elsewhere]:
    """A predictor by one of its models, and what answers for it: its own AutoGluon.

    Args:
        folder: of a TabularPredictor; its pickles are run.
        model: the name of the model, or None for the one that the predictor would take.
        report: called with what the reader should know.

    Raises:
        WrongUse: it has no such model.
        SourceFailed: there is no such environment, or the folder can't be read, or the model needs
            another that has no conversion.
    """
    version = version_of(folder)
    report(
        f"'{folder.name}' has pickles: reading them runs the code in them there, and what they "
        "name here. Open only your own"
    )
    python = python_of(needed_by(folder, report), report)
    report(f"'{folder.name}' was fitted by AutoGluon {version}, which answers for it")
    link = Link(python, folder, of_path(), reader=READER, model=model)
    try:
        rebuilding = Rebuilding(tuple(map(int, link.asked("version").split("."))))
        description = link.asked("hand over", rebuilding.make)
    except Exception as error:
        raise _failed(folder, f"AutoGluon {version}", python, error) from error
    _check_model(folder, description)
    here = predictor_of(description)
    return here, Elsewhere(here, version, link, library="autogluon", check=here[0].check)


def _failed(folder: Path, library: str, python: Path, error: Exception) -> SourceFailed:
    kind, _, said = str(error).partition(": ")
    if kind == NOT_DESCRIBED:
        return SourceFailed(
            f"'{folder.name}' can't be served: {said}",
            "--model NAME takes another of its models. Feature generators have to be AutoGluon's "
            "own.",
        )
    if kind == FileNotFoundError.__name__:
        return SourceFailed(
            f"'{folder.name}' lacks a file: {said}",
            "Copy the whole folder again, or take another model by --model NAME.",
        )
    return unreadable(folder, library, python, error)


def _check_model(folder: Path, description: Mapping[str, Any]) -> None:
    """Refuse a model that is not there, or needs one that can't be: with the best that can."""
    models = {each["name"]: each for each in description["models"]}
    name = description["model"]
    if name not in models:
        named = list(models)
        more = ", …" if len(named) > SHOWN else ""
        raise WrongUse(
            f"--model: '{folder.name}' has no model '{name}' that answers",
            f"It has {', '.join(named[:SHOWN])}{more}.",
        )
    if not (lacks := models[name]["lacks"]):
        return
    reasons = [
        f"{each} is of {kind}, which has no conversion" if kind else f"{each} is not in the folder"
        for each, kind in lacks.items()
    ]
    able = [m for m in models.values() if not m["lacks"] and m["score"] is not None]
    best = max(able, key=lambda each: float(each["score"]), default=None)
    metric = description["metric"]
    own = models[name]["score"]
    hint = (
        "No model of it does without."
        if best is None
        else f"--model {best['name']} does without: its validation score ({metric}) is "
        f"{best['score']:.4g}, that of {name} is {'not known' if own is None else f'{own:.4g}'}."
    )
    raise SourceFailed(f"'{name}' of '{folder.name}' can't be served: {'; '.join(reasons)}", hint)
