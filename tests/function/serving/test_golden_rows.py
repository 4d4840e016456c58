"""What counts as scikit-learn's answer to a golden row, and what does not."""

from math import inf, nan
from typing import Any

import pytest

from onnxlet.function.serving.golden import compare


@pytest.mark.parametrize(
    ("got", "expected", "is_equal"),
    [
        (2.0, 2.00001, True),
        (2.0, 2.0001, False),
        (2, 2.0, True),
        (True, 1.0, False),
        ("1.5", 1.5, False),
        (1.0, inf, False),  # however far the tolerance of an infinite number goes
        (None, inf, True),  # JSON has no form for either
        (nan, -inf, True),
        (None, 1.0, False),
    ],
)
def test_a_number_is_near_another(got: Any, expected: float, is_equal: bool) -> None:
    """Within the tolerance, of the same kind."""
    golden = {
        "instances": [[0]],
        "answers": {"prediction": [expected]},
        "tolerance": 1e-5,
        "floors": {"prediction": 0.0},
    }
    assert (compare({"prediction": [got]}, golden) == []) is is_equal
