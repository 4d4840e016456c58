"""What stands for orjson in browsers refuses what orjson does: callers go on from there."""

import pytest

from onnxlet.edge.browser import orjson


@pytest.mark.parametrize("text", [b"[", b"\xff", b"[" + b"1" * 5_000 + b"]", b""])
def test_what_is_no_json_is_refused_as_by_orjson(text: bytes) -> None:
    """By the one error that callers know, also where a number has too many digits for Python."""
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)
