"""The report as a model card in Markdown, with the front matter that Hugging Face's cards have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from onnxlet.convert.report import Findings, sentences
from onnxlet.convert.report.page import MEASURES, MOST_ROWS, baselines, ensemble, headings, proof
from onnxlet.convert.report.sections import call as calling
from onnxlet.convert.report.sections.use import BLANKS, limits
from onnxlet.convert.report.wording import (
    count,
    few,
    headed,
    interval,
    name,
    number,
    seconds,
    share,
    size,
)

Rows = Iterable[Sequence[str]]
PIPELINES = {"regression": "tabular-regression"}  # the other tasks are classification
WRITE = {"number": number, "share": share}


def markdown(found: Findings) -> str:
    """The card.

    Args:
        found: the findings, as report.json has them.

    Raises:
        KeyError, TypeError, ValueError: the findings are damaged.
    """
    here = headings(found)
    parts = [front_matter(found), f"# {text(found['name'])}", escaped(sentences.answer(found))]
    for section, lines in SECTIONS.items():
        if section in here:
            parts += [f"## {here[section]}", *(each for each in lines(found) if each)]
    return "\n\n".join(parts) + "\n"


def front_matter(found: Findings) -> str:
    """YAML between dashes: JSON's texts are YAML's, whatever they hold."""
    pipeline = PIPELINES.get(found["task"], "tabular-classification")
    lines = ["---", "# license: yours to choose", "library_name: onnx", f"pipeline_tag: {pipeline}"]
    lines += ["tags:", "- onnx", "- onnxlet", "- scikit-learn", f"- {pipeline}"]
    scores = [s for s in found.get("scores") or [] if s["model"]["value"] is not None]
    if scores:
        lines += ["metrics:", *(f"- {_yaml(each['metric'])}" for each in scores)]
        lines += ["model-index:", f"- name: {_yaml(found['name'])}", "  results:"]
        lines += ["  - task:", f"      type: {pipeline}", "    dataset:"]
        lines += ["      name: held-out rows", "      type: tabular", "      split: test"]
        lines += ["    metrics:"]
        for each in scores:
            lines += [f"    - type: {_yaml(each['metric'])}", f"      name: {_yaml(each['title'])}"]
            lines += [f"      value: {json.dumps(each['model']['value'])}"]
    return "\n".join([*lines, "---"])


def _yaml(value: Any) -> str:
    return json.dumps(name(value, 200), ensure_ascii=True)


def text(value: Any, longest: int = 300) -> str:
    """A name of the user's in which nothing is Markdown or HTML."""
    return escaped(name(value, longest))


def escaped(line: str) -> str:
    """A line in which nothing is Markdown or HTML."""
    line = re.sub(r"([\\`*_\[\]<>|~#&{}])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line)


def table(header: Sequence[str], rows: Rows) -> str:
    """A table of cells that are ready; a column that begins with a number is on the right."""
    lines = [list(row) for row in rows]
    first = lines[0] if lines else header
    rule = ["--:" if re.match(r"[\d\u2212\u2013]", cell) else ":--" for cell in first]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *lines])


def bullets(lines: Iterable[str]) -> str:
    """A list, an item a line."""
    return "\n".join(f"- {each}" for each in lines)


def code(language: str, lines: str) -> str:
    """A fenced block; its fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def _with_interval(value: Findings | None) -> str:
    if value is None:
        return "\u2013"
    ends = interval(value)
    return f"{number(value['value'])}{f' ({ends})' if ends else ''}"


def _data(found: Findings) -> Iterator[str]:
    about = found["data"]
    yield escaped(sentences.data(found))
    yield escaped(sentences.target(found))
    facts = [("Target", found.get("target")), ("Model", found.get("estimator"))]
    facts += [("Test rows chosen", about.get("split"))]
    known = [f"{label}: {text(value, 400)}" for label, value in facts if value is not None]
    for label, key in (("Training rows", "train_rows"), ("Test rows", "test_rows")):
        if about.get(key) is not None:
            thin = " (few rows)" if few(about[key]) else ""
            known.append(f"{label}: {count(about[key])}{thin}")
    yield bullets([*known, *(text(note, 400) for note in about.get("notes") or [])])
    columns = about.get("columns") or []
    if columns:
        cells = (
            (text(each["name"], 160), text(each["kind"]), "yes" if each["used"] else "no",
             count(each["missing"]), count(each["distinct"]), text(each["why"] or "\u2013"))
            for each in columns[:MOST_ROWS]
        )  # fmt: skip
        yield table(("Column", "Taken for", "Used", "Missing", "Distinct", "Why"), cells)
    if len(columns) > MOST_ROWS:
        yield f"The other {count(len(columns) - MOST_ROWS)} are in report.json."


def _scores(found: Findings) -> Iterator[str]:
    yield escaped(sentences.scores(found))
    names = baselines(found)
    header = [
        "Metric",
        "This model",
        *(text(each).capitalize() for each in names),
        "Better is",
        "Rows",
    ]

    def row(score: Findings) -> list[str]:
        beside = {each["name"]: each for each in score["baselines"]}
        return [
            headed(text(score["title"])),
            _with_interval(score["model"]),
            *(_with_interval(beside.get(each)) for each in names),
            "higher" if score["greater_is_better"] else "lower",
            f"{count(score['rows'])}{' (few)' if few(score['rows']) else ''}",
        ]

    yield table(header, map(row, found["scores"]))


def _errors(found: Findings) -> Iterator[str]:
    yield escaped(sentences.confusion(found))
    confusion = found.get("confusion")
    if confusion:
        labels = [text(label, 60) for label in confusion["labels"]]
        rows = zip(labels, confusion["counts"], strict=True)
        yield table(["True \\ answered", *labels], ([a, *map(count, counts)] for a, counts in rows))
    yield escaped(sentences.residuals(found))
    yield escaped(sentences.by_prediction(found))


def _sentences(*of: Any) -> Any:
    def lines(found: Findings) -> Iterator[str]:
        yield from (escaped(said) for each in of if (said := each(found)))

    return lines


def _leans(found: Findings) -> Iterator[str]:
    yield escaped(sentences.importance(found))
    columns = (found.get("importance") or {}).get("columns") or []
    if columns:
        cells = ([text(each["column"], 160), _with_interval(each)] for each in columns[:MOST_ROWS])
        yield table(("Column", "Importance"), cells)
        yield "Columns that say the same share their importance."
    yield bullets(
        f"{text(each['column'], 160)}: {escaped(sentences.dependence(each))}"
        for each in found.get("dependence") or []
    )


def _worst(found: Findings) -> Iterator[str]:
    yield escaped(sentences.worst(found))
    yield table(
        ("Test row", "Error"), ((count(e["row"]), number(e["error"])) for e in found["worst"])
    )


def _search(found: Findings) -> Iterator[str]:
    yield escaped(sentences.search(found))
    if chosen := ensemble(found):
        yield f"What came of it: {escaped(chosen)}. Seed {found['search']['seed']}."


def _fairness(found: Findings) -> Iterator[str]:
    for each in found["fairness"]:
        yield f"### {text(each['column'], 160)}"
        yield escaped(sentences.fairness(each))
        shown = [m for m in MEASURES if any(g.get(m[0]) is not None for g in each["groups"])]
        cells = (
            [text(group["group"], 60), count(group["rows"]) + (" (few)" if group["small"] else ""),
             *(WRITE[write](group[key]) for key, _, write in shown)]
            for group in each["groups"]
        )  # fmt: skip
        yield table(["Group", "Rows", *(title for _, title, _ in shown)], cells)
        after = {d["measure"]: d for d in (each.get("mitigation") or {}).get("differences", [])}
        differences = (
            [headed(text(d["title"])), _with_interval(d), _with_interval(after.get(d["measure"]))]
            for d in each["differences"]
        )
        yield table(("Difference", "Now", "With the mitigation"), differences)
        yield escaped(sentences.mitigation(each)) if each.get("mitigation") else ""
        yield bullets(text(note, 400) for note in each.get("notes") or [])


def _parity(found: Findings) -> Iterator[str]:
    yield escaped(sentences.parity(found))
    yield bullets(f"{escaped(label)}: {escaped(value)}" for label, value in proof(found))


def _serving(found: Findings) -> Iterator[str]:
    about = found["serving"]
    yield escaped(sentences.serving(found))
    timed = (
        ("Cold start", "cold_start_ms", 1e-3),
        ("Loading", "load_ms", 1e-3),
        ("One row", "one_row_us", 1e-6),
    )
    rows = [
        ("Size", size(about["bytes"]), size(about.get("estimator_bytes"))),
        *(
            (label, seconds(about.get(key), unit), seconds(about.get(f"estimator_{key}"), unit))
            for label, key, unit in timed
        ),
    ]
    yield table(("", "Served model", "scikit-learn"), rows)


def _use(found: Findings) -> Iterator[str]:
    yield bullets(escaped(each) for each in limits(found))
    for title, about in BLANKS:
        yield f"### {title}"
        yield f"_To be filled in by the owner: {about}_"


def _call(found: Findings) -> Iterator[str]:
    yield "`onnxlet serve` starts the server. The values are made up: medians and frequent ones."
    yield code("sh", calling.curl(found["call"]))
    yield code("python", calling.python(found["call"]))


def _notes(found: Findings) -> Iterator[str]:
    yield bullets(text(note, 400) for note in found["notes"])


SECTIONS: Mapping[str, Any] = {
    "data": _data,
    "scores": _scores,
    "errors": _errors,
    "curves": _sentences(
        sentences.roc, sentences.precision_recall, sentences.calibration, sentences.threshold
    ),
    "leans": _leans,
    "learning": _sentences(sentences.learning),
    "worst": _worst,
    "search": _search,
    "fairness": _fairness,
    "parity": _parity,
    "serving": _serving,
    "use": _use,
    "call": _call,
    "notes": _notes,
}
