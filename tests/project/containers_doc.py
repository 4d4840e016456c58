"""The files that docs/how-to/containers.md and kubernetes.md show."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tests.conftest import ROOT

TEXT = "".join(
    (ROOT / "docs" / "how-to" / f"{page}.md").read_text() for page in ("kubernetes", "containers")
)


def blocks(kind: str) -> list[str]:
    """The documents' blocks of a language."""
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def objects() -> list[dict[str, Any]]:
    """Cloud Run's, Kubernetes' and KServe's objects."""
    every = [told for block in blocks("yaml") for told in yaml.safe_load_all(block)]
    return [told for told in every if "kind" in told]  # one is a part of Prometheus' configuration


def task_and_model() -> tuple[dict[str, Any], dict[str, Any]]:
    """ECS' task definition, and SageMaker's model."""
    task, model = map(json.loads, blocks("json"))
    return task, model
