"""docs/how-to/images.md: its model is built as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onnxlet.convert.sources.source import load_source
from tests.conftest import ROOT
from tests.convert.helpers import built

HOW_TO = (ROOT / "docs" / "how-to" / "images.md").read_text()


@pytest.mark.training
def test_the_model_of_digits_is_built(tmp_path: Path) -> None:
    [program] = re.findall(
        r"^```python\n(# small_digits\.py\n.*?)^```", HOW_TO, re.MULTILINE | re.DOTALL
    )
    (tmp_path / "digits.py").write_text(program)

    source = load_source(f"{tmp_path / 'digits.py'}:build")
    manifest = built(source, tmp_path / "models", "digits").manifest

    assert manifest["metrics"]["accuracy"]["model"] > 0.9
    assert manifest["signature"]["inputs"][0]["type"] == "image"
