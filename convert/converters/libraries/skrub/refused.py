"""skrub's estimators that no converter can write, each with its reason and the way out."""

from __future__ import annotations

from typing import Any

from skrub import DurationToFloat, Joiner, LLMEncoder, SessionEncoder, TextEncoder

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import (
    Graph,
    Outputs,
    Table,
    Unsupported,
    refusing,
)


def language_model(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LLMEncoder and TextEncoder: a language model of PyTorch's, far larger than a function."""
    raise Unsupported(
        f"it embeds text by the language model '{fitted.model_name}'",
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
    LLMEncoder: language_model,
    SessionEncoder: refusing(
        "a row's session depends on the rows beside it", "Number the sessions before the pipeline."
    ),
    TextEncoder: language_model,
}
