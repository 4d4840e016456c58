"""The options of an import that make two graphs a translator of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.imported.vocabulary import MOST_UNITS
from onnxlet.function.errors import WrongUse

COLUMN = "text"


class TextOptions(NamedTuple):
    """What makes two graphs a translator."""

    decoder: Path  # the file of the decoder
    vocabulary: Path  # the file of the vocabulary
    # Units that are read and written, at most; None as the vocabulary says.
    longest: int | None = None
    column: str = "text"  # what clients call the text
    links: Sequence[str] = ()  # INPUT=TENSOR, of the decoder's inputs


def text_options(
    others: Mapping[str, Any],
    sample: Path | None,
    expected: Path | None,
    decoder: Path | None,
    vocabulary: Path | None,
    longest: int | None,
    column: str | None,
    links: Sequence[str],
) -> TextOptions | None:
    """Check options against each other; None where the model is no translator.

    `others` are options of other models, by name. WrongUse names all that don't go together.
    """
    faults = []
    unasked = expected is not None and sample is None
    if unasked:
        faults.append("--expected: answers without their rows")
    own = {"vocabulary": vocabulary, "longest": longest, "column": column, "link": links or None}
    if decoder is None:
        faults += [f"--{name}: needs --decoder" for name, given in own.items() if given is not None]
    elif vocabulary is None:
        faults.append("--decoder: needs --vocabulary")
    if decoder is not None:
        faults += [f"--{name}: not with --decoder" for name, given in others.items() if given]
    if longest is not None and not 1 <= longest <= MOST_UNITS:
        faults.append(f"--longest: expected a whole number from 1 to {MOST_UNITS}, got {longest}")
    if column is not None and not column.strip():
        faults.append("--column: expected a name, got none")
    if faults:
        raise WrongUse("; ".join(faults), "Add --sample IN.npz." if unasked else "")
    if decoder is None or vocabulary is None:
        return None
    return TextOptions(decoder, vocabulary, longest, column or COLUMN, links)
