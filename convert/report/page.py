"""The report as a page: one file of HTML, which needs no script and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.convert.report import Findings, sentences, wording
from onnxlet.convert.report.drawing import palette
from onnxlet.convert.report.plots import curves, effects, errors, groups, growth, scores
from onnxlet.convert.report.sections import call as calling
from onnxlet.convert.report.sections.use import BLANKS, limits

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).parent / "template"
MOST_ROWS = 300  # of a table: a page of thousands of columns would be slow, and too large
FIRST_COLUMNS = 24  # beyond which the table of columns is folded
TASKS = {"binary": "two classes", "multiclass": "several classes", "regression": "regression"}
# By the id of each section: its heading, and the parts of the findings of which it needs one.
SECTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "answer": ("In one sentence", ()),
    "data": ("Data and target", ("data",)),
    "scores": ("Scores", ("scores",)),
    "errors": ("Errors", ("confusion", "residuals")),
    "curves": ("Curves and threshold", ("roc", "precision_recall", "calibration", "threshold")),
    "leans": ("What it leans on", ("importance", "dependence")),
    "learning": ("Would more data help?", ("learning",)),
    "worst": ("The worst rows", ("worst",)),
    "search": ("The search", ("search",)),
    "fairness": ("Fairness", ("fairness",)),
    "parity": ("Proven before it was served", ("parity",)),
    "serving": ("Size and speed", ("serving",)),
    "use": ("Intended use and limits", ()),
    "call": ("How to call it", ("call",)),
    "notes": ("Left out, and why", ("notes",)),
}
# By group: member, title, how it is written.
MEASURES = (
    ("selection_rate", "Selected", "share"),
    ("true_positive_rate", "Found", "share"),
    ("false_positive_rate", "False alarms", "share"),
    ("accuracy", "Right", "share"),
    ("mean_error", "Mean error", "number"),
    ("mean_absolute_error", "Mean absolute error", "number"),
)
# Of a legend, in a box of 24 by 10.
MARKS = {
    "line": "M0 5H24",
    "band": "M0 5H24",
    "diamond": "M12 0L17 5L12 10L7 5Z",
    "disc": "M12 0.5A4.5 4.5 0 1 0 12.01 0.5Z",
    "cross": "M8 1L16 9M16 1L8 9",
}
SCHEMES = (
    ":root {{ color-scheme: light dark; --shadow: 0 1px 2px rgb(40 34 20 / 5%), 0 8px 24px "
    "rgb(40 34 20 / 5%); {fonts} {light} }}\n"
    "@media screen and (prefers-color-scheme: dark) {{ :root {{ --shadow: none; {dark} }} }}\n"
    "@media print {{ :root {{ color-scheme: light; }} }}\n"
)
FONTS = (
    '--sans: "Inter", ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", '
    '"Liberation Sans", sans-serif; --mono: ui-monospace, "SF Mono", "Cascadia Code", Menlo, '
    'Consolas, "DejaVu Sans Mono", monospace;'
)


def html(found: Findings) -> str:
    """The page.

    Args:
        found: the findings, as report.json has them.

    Returns:
        A whole document, the same for the same findings.

    Raises:
        KeyError, TypeError, ValueError, jinja2.UndefinedError: the findings are damaged.
    """
    written = _template().render(
        f=found,
        here=headings(found),
        meta=list(_meta(found)),
        strip=list(_strip(found)),
        plots=_plots(found),
        baselines=baselines(found),
        ensemble=ensemble(found),
        proof=list(proof(found)),
        limits=list(limits(found)),
    )
    return written.strip() + "\n"


def headings(found: Findings) -> dict[str, str]:
    """The sections that these findings fill, by id."""
    return {
        each: heading
        for each, (heading, parts) in SECTIONS.items()
        if not parts or any(found.get(part) for part in parts)
    }


@lru_cache(1)
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # What is not marked as safe is escaped: names are the user's.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    write = {"number": wording.number, "share": wording.share}
    environment.filters |= write | {
        "count": wording.count, "few": wording.few, "headed": wording.headed,
        "interval": wording.interval,
        "listed": wording.listed, "name": wording.name, "plural": wording.plural,
        "seconds": wording.seconds, "size": wording.size,
        "milliseconds": partial(wording.seconds, unit=1e-3),
        "microseconds": partial(wording.seconds, unit=1e-6),
    }  # fmt: skip
    environment.globals |= {
        "s": sentences, "WRITE": write, "MARKS": MARKS, "MEASURES": MEASURES, "BLANKS": BLANKS,
        "MOST_ROWS": MOST_ROWS, "FIRST_COLUMNS": FIRST_COLUMNS, "FIRST_BARS": effects.MOST_BARS,
        "curl": calling.curl, "python": calling.python, "style": _style(),
    }  # fmt: skip
    return environment.get_template("page.html")


def _style() -> str:
    sheet = (TEMPLATE / "style.css").read_text("utf-8")
    light, dark = (
        f"{palette.declarations(scheme)} --cell: {_channels(scheme)};"
        for scheme in ("light", "dark")
    )
    return SCHEMES.format(fonts=FONTS, light=light, dark=dark) + sheet


def _channels(scheme: str) -> str:
    return " ".join(map(str, bytes.fromhex(getattr(palette.COLOURS["model"], scheme)[1:])))


def _plots(found: Findings) -> dict[str, Any]:
    fairness = list(enumerate(found.get("fairness") or []))
    return {
        "target": scores.target(found),
        "scores": scores.scores(found),
        "residuals": errors.residuals(found),
        "by_prediction": errors.by_prediction(found),
        "roc": curves.roc(found),
        "precision_recall": curves.precision_recall(found),
        "calibration": curves.calibration(found),
        "threshold": curves.threshold(found),
        "importance": effects.importance(found),
        "dependence": effects.dependence(found),
        "learning": growth.learning(found),
        "search": growth.search(found),
        "groups": [groups.groups(index, each) for index, each in fairness],
        "differences": [groups.differences(index, each) for index, each in fairness],
    }


def _meta(found: Findings) -> Iterator[str]:
    """What stands below the title."""
    yield TASKS.get(found["task"], wording.name(found["task"], 40))
    if found.get("target") is not None:
        yield f"predicts {wording.name(found['target'], 60)}"
    if found.get("version"):
        yield f"version {found['version']}"
    yield (
        "trained by onnxlet" if found.get("origin") == "train" else "built from a fitted estimator"
    )


def _strip(found: Findings) -> Iterator[tuple[str, str, str]]:
    """The few figures to remember: label, value, and what stands below."""
    if found.get("scores"):
        first = found["scores"][0]
        ends = wording.interval(first["model"])
        value = wording.number(first["model"]["value"])
        yield wording.headed(wording.name(first["title"], 40)), value, ends
        for each in first["baselines"]:
            label = sentences.BASELINES.get(each["name"], wording.name(each["name"], 30))
            yield label.capitalize(), wording.number(each["value"]), wording.interval(each)
        yield (
            "Test rows",
            wording.count(first["rows"]),
            "few rows" if wording.few(first["rows"]) else "",
        )
    serving = found.get("serving") or {}
    if serving.get("bytes") is not None:
        yield "Size", wording.size(serving["bytes"]), ""
    if serving.get("one_row_us") is not None:
        yield "One row", wording.seconds(serving["one_row_us"], 1e-6), ""


def baselines(found: Findings) -> list[str]:
    """The baselines' names in the order that they come."""
    scores = found.get("scores") or []
    return list(dict.fromkeys(each["name"] for score in scores for each in score["baselines"]))


def ensemble(found: Findings) -> str:
    """What was chosen, with weights where there are several."""
    chosen = (found.get("search") or {}).get("ensemble") or []
    if len(chosen) == 1:
        return wording.name(chosen[0]["name"], 80)
    parts = [f"{wording.name(e['name'], 80)} ({round(100 * e['weight'])}\u202f%)" for e in chosen]
    return f"the mean of {wording.listed(parts)}" if parts else ""


def proof(found: Findings) -> Iterator[tuple[str, str]]:
    """The certificate's facts: label and value."""
    about = found.get("parity") or {}
    rows = (
        ("held_out_rows", "Rows it had not learned from"),
        ("drawn_rows", "Rows drawn in the data\u2019s range"),
        ("judging_rows", "Rows to judge by"),
        ("hard_rows", "Edge cases"),
        ("differing_rows", "Answers that differ"),
        ("tied_rows", "Ties, either label right"),
    )
    yield from (
        (label, wording.count(about[key])) for key, label in rows if about.get(key) is not None
    )
    for output, value in (about.get("worst") or {}).items():
        measure = (about.get("measure") or {}).get(output)
        unit = " of the value" if measure == "relative" else ""
        label = f"Largest difference, {wording.name(output, 40)}"
        yield label, f"{wording.number(value, 2)}{unit}" if value else "none"
    if about.get("tolerance") is not None:
        yield "Allowed", wording.number(about["tolerance"], 1)
    for key, label in (("reference", "Compared with scikit-learn in"), ("recipe", "Computed in")):
        if about.get(key):
            yield label, wording.name(about[key], 120)
