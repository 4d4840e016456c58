"""Which example is meant, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from onnxlet.convert.examples import __main__ as examples


@pytest.mark.parametrize("name", ["house_prices", "house-prices"])
def test_an_example_is_named_by_its_file_or_its_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    def built(example: object, source: object, called: str, *more: object) -> None:
        assert called == "house-prices"
        raise Enough

    monkeypatch.setattr(examples, "_built", built)
    with pytest.raises(Enough):
        examples.make(name, tmp_path, print)


def test_those_that_there_are_are_listed(tmp_path: Path) -> None:
    words = ["house_price", "--models", str(tmp_path)]
    done = CliRunner().invoke(examples.main, words)
    assert done.exit_code == 2
    assert "no example 'house_price'" in done.output
    assert "house_prices" in done.output
    assert list(tmp_path.iterdir()) == []
