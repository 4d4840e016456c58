"""The report as a model card in Markdown, with the front matter that Hugging Face's cards have."""

from __future__ import annotations

import json
from typing import Any

from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.form.markdown import escaped, text
from onnxlet.convert.report.form.wording import name
from onnxlet.convert.report.sections import SECTIONS, headings
from onnxlet.convert.report.sections.scores import ANSWER, answer

PIPELINES = {"regression": "tabular-regression"}  # the other tasks are classification


def markdown(found: Findings) -> str:
    """The card; KeyError, TypeError or ValueError where the findings are damaged."""
    here = headings(found)
    parts = [front_matter(found), f"# {text(found.name)}", escaped(answer(found))]
    for section in SECTIONS:
        if section.id in here and section is not ANSWER:
            parts += [f"## {section.heading}", *filter(None, section.card(found))]
    return "\n\n".join(parts) + "\n"


def front_matter(found: Findings) -> str:
    """YAML between dashes: JSON's texts are YAML's, whatever they hold."""
    pipeline = PIPELINES.get(found.task, "tabular-classification")
    lines = ["---", "# license: yours to choose", "library_name: onnx", f"pipeline_tag: {pipeline}"]
    lines += ["tags:", "- onnx", "- onnxlet", "- scikit-learn", f"- {pipeline}"]
    scores = [score for score in found.scores or [] if score.model.value is not None]
    if scores:
        lines += ["metrics:", *(f"- {_yaml(each.metric)}" for each in scores)]
        lines += ["model-index:", f"- name: {_yaml(found.name)}", "  results:"]
        lines += ["  - task:", f"      type: {pipeline}", "    dataset:"]
        lines += ["      name: held-out rows", "      type: tabular", "      split: test"]
        lines += ["    metrics:"]
        for each in scores:
            lines += [f"    - type: {_yaml(each.metric)}", f"      name: {_yaml(each.title)}"]
            lines += [f"      value: {json.dumps(each.model.value)}"]
    return "\n".join([*lines, "---"])


def _yaml(value: Any) -> str:
    return json.dumps(name(value, 200), ensure_ascii=True)
