"""Why answers differ."""

from onnxlet.convert.prove.judge import Judge


def causes(judge: Judge) -> list[str]:
    return []
