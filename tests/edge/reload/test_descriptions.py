"""What stands for a version whose manifest can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxlet.edge.reload.descriptions import hash_in
from tests.function.test_model_files import INSTEAD, Instead


@pytest.mark.parametrize("instead", INSTEAD)
def test_an_odd_manifest_has_no_hash(own: Path, instead: Instead) -> None:
    assert len(hash_in(own / "iris" / "1")) == 64
    (own / "shop" / "1").mkdir(parents=True)  # of another model
    instead(own / "iris" / "1" / "manifest.json")
    assert hash_in(own / "iris" / "1") == ""
