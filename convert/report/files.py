"""The report's files, and writing them beside a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxlet.convert.directory.model_directory import replace_files, sha256
from onnxlet.convert.errors import Refusal
from onnxlet.convert.report import HTML, JSON, MARKDOWN, TEST_ROWS
from onnxlet.convert.report.evaluation.answered_rows import answered_rows
from onnxlet.convert.report.evaluation.evaluate import findings
from onnxlet.convert.report.evaluation.evaluation import answer_test_rows
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.form.findings import FORMAT, from_json
from onnxlet.folders import typed
from onnxlet.function.errors import OnnxletError
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import PAGE_HASH


def files_of(measured: Measured) -> dict[str, bytes]:
    """The report in each of its forms, and the test rows' answers, by file name.

    Raises Refusal where the model's answers can't be right or wrong, or y_test is not what it
    answers.
    """
    case = answer_test_rows(measured)
    rows = answered_rows(case)
    return {**report_files(findings(measured, case)), **({TEST_ROWS: rows} if rows else {})}


def report_files(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The findings in each of their forms, by file name, in UTF-8, of plain JSON without NaN.

    They are the same for the same findings.
    """
    # Escaped: a column's name may be a lone surrogate, which UTF-8 can't encode.
    written = json.dumps(found, indent=1, allow_nan=False) + "\n"
    return {JSON: written.encode(), **pages(found)}


def pages(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The page with its hash, without which it is not served, and the model card, by file name."""
    from onnxlet.convert.report import page  # with matplotlib and Jinja

    known = from_json(found)
    html = page.html(known).encode()
    line = f"{sha256(html)}  {HTML}\n".encode()
    return {PAGE_HASH: line, HTML: html, MARKDOWN: page.markdown(known).encode()}


def read_findings(directory: Path) -> dict[str, Any]:
    """The findings beside a model.

    Raises Refusal where there are none, or they are damaged, or of another form than this version
    reads.
    """
    path = directory / JSON
    again = (
        f"'{typed('convert', 'train')}' writes one, and so does 'build' with y_test and --report."
    )
    try:
        found = json.loads(read_file(directory, JSON))
    except FileNotFoundError as error:
        message = f"'{directory}' has no {JSON}: this version was written without a report"
        raise Refusal(message, again) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is no JSON: {error}") from error
    if not isinstance(found, dict) or "format" not in found:
        raise damaged(path, "expected an object with 'format'")
    if found["format"] != FORMAT:
        raise Refusal(
            f"'{path}': expected format {FORMAT}, got {found['format']!r:.40}",
            "It is from another version of onnxlet: write it again with that one, or build again.",
        )
    return found


def damaged(path: Path, why: str) -> Refusal:
    """What is raised for findings that can't be shown."""
    return Refusal(f"'{path}' is damaged: {why}", "Train or build the model again with a report.")


def write_again(directory: Path) -> list[Path]:
    """Write the page and the card of a version again; each is whole or as it was.

    Raises Refusal where its findings are not there, or damaged: nothing is written; OnnxletError
    where it can't be written.
    """
    from jinja2 import TemplateError

    found = read_findings(directory)
    try:
        made = pages(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, TemplateError) as error:
        why = f"{type(error).__name__}: {error}"
        raise damaged(directory / JSON, f"a part has not its form ({why:.200})") from error
    try:
        replace_files(directory, made)
    except OSError as error:
        raise OnnxletError(
            f"can't write in '{directory}': {error}", "Let this user write there."
        ) from error
    return [directory / file for file in made]
