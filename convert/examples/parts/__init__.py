"""What several examples share: their data, what scores are made of, pictures, fetched packages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "data"
Answer = Callable[[Any], dict[str, Any]]  # takes rows, and returns what an endpoint answers
Scores = dict[str, tuple[float, float]]  # by name: the model's, a baseline's
