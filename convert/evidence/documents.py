"""Edge cases for summaries: documents of hardly any sentences, of very many, and of equal ones."""

from __future__ import annotations

from collections.abc import Sequence

from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.sentences import split_sentences

BASES = 6  # held-out documents that others are made of
MANY = 5_000  # sentences
LINES = "\n"


def odd_documents(rows: Sequence[Cells], reference: Reference) -> list[Cells]:
    """Documents made of the held-out ones, for a summary; else none."""
    if reference.task.name != "summary":
        return []
    cut = [split_sentences(str(row[0])) for row in evenly_spaced(rows, BASES)]
    made = []
    for sentences in cut:
        made += [sentences[:count] for count in range(4)]
        made += [sentences[::-1], sentences * 2, [s for s in sentences for _ in range(2)]]
    every = [sentence for sentences in cut for sentence in sentences] or ["a"]
    made += [every, ["\u597d\u3002"] * 50, [f"{at}!" for at in range(MANY)]]
    made.append((every * (MANY // len(every) + 1))[:MANY])
    return [[LINES.join(sentences)[:LONGEST_TEXT]] for sentences in made]
