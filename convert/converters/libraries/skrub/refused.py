"""skrub's estimators that no converter can write, each with its reason and the way out."""

from __future__ import annotations

from typing import Any

from skrub import Joiner, LLMEncoder, SessionEncoder, TextEncoder

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported


def language_model(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LLMEncoder and TextEncoder: a language model of PyTorch's, far larger than a function."""
    raise Unsupported(
        f"it embeds text by the language model '{fitted.model_name}'",
        "Use StringEncoder, or embed the text before and give the numbers to the pipeline.",
    )


def fuzzy_join(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Joiner: the nearest row of another table, if it is near enough."""
    raise Unsupported(
        "it searches another table for the most similar key",
        "Join before the pipeline; or let keys be equal, and use AggJoiner.",
    )


def sessions(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SessionEncoder: numbers the sessions of a batch."""
    raise Unsupported(
        "a row's session depends on the rows beside it", "Number the sessions before the pipeline."
    )


CONVERTERS: dict[type, Converter] = {
    Joiner: fuzzy_join,
    LLMEncoder: language_model,
    SessionEncoder: sessions,
    TextEncoder: language_model,
}
