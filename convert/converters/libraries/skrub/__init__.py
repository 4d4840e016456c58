"""Converters of skrub's estimators: frames, cells, texts, dates, joins.

Here are those that no converter can write, each with its reason and the way out.
"""

from __future__ import annotations

from skrub import DurationToFloat, Joiner, LLMEncoder, SessionEncoder, TextEncoder

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import refusing

# A language model of PyTorch's is far larger than a function.
LANGUAGE_MODEL = refusing(
    "it embeds text by the language model '{0.model_name}'",
    "Use StringEncoder, or embed the text before and give the numbers to the pipeline.",
)
CONVERTERS: Converters = {
    DurationToFloat: exact(
        refusing(
            "a duration has no form in a request",
            "Turn it into numbers before the pipeline: X['column'].dt.total_seconds().",
        )
    ),
    Joiner: refusing(
        "it searches another table for the most similar key",
        "Join before the pipeline; or let keys be equal, and use AggJoiner.",
    ),
    LLMEncoder: LANGUAGE_MODEL,
    SessionEncoder: refusing(
        "a row's session depends on the rows beside it", "Number the sessions before the pipeline."
    ),
    TextEncoder: LANGUAGE_MODEL,
}
