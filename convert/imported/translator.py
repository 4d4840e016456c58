"""An encoder and a decoder that answer a text with a text: merged, tried, ready to be proven."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.greedy import (
    IDS,
    LENGTH,
    SCORE,
    WIDTH,
    WRITTEN,
    check_together,
    merged,
)
from onnxlet.convert.imported.inputs import InputTensor, free_batches
from onnxlet.convert.imported.onnx_file import all_nodes, check_versions, one_line, open_session
from onnxlet.convert.imported.outputs import Served, serving_part, shares
from onnxlet.convert.imported.roles import Roles, roles
from onnxlet.convert.imported.sample import read_texts
from onnxlet.convert.imported.served_graph import MIXED_HINT, ServedGraph, answers, scales_together
from onnxlet.convert.imported.text_options import TextOptions, Vocabulary, read_vocabulary
from onnxlet.convert.imported.trial import check_it_ends, check_loops
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.column_types import column_entry
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.sequences import CHARACTER
from onnxlet.function.models.model import Model

TRIED_ROWS = 3
TRIED_LENGTH = 7
CLOSE = 1e-4  # scores of the same ids, computed for one row and for several
PREDICTION = "prediction"


class Pair(NamedTuple):
    """The two graphs, and what is for what in them."""

    encoder: onnx.ModelProto
    decoder: onnx.ModelProto
    roles: Roles
    vocabulary: Vocabulary

    def graph(self, tried: bool = False) -> onnx.ModelProto:
        """One graph; a tried one never ends before the most units."""
        of_one = self.roles.logits in shares(self.decoder)
        return merged(self.encoder, self.decoder, self.roles, self.vocabulary, of_one, tried)


def paired(encoder: onnx.ModelProto, decoder: onnx.ModelProto, options: TextOptions) -> Pair:
    """Fit them together.

    WrongUse has all mistakes of the vocabulary and of the graphs' inputs, where they are not of a
    form that is known. Refusal: the graphs can't be one.
    """
    faults: list[WrongUse] = []
    vocabulary = found = None
    try:
        vocabulary = read_vocabulary(options.vocabulary, options.longest)
    except WrongUse as error:
        faults.append(error)
    for proto in (encoder, decoder):
        free_batches(proto)
    try:
        found = roles(encoder, decoder, options.links)
    except WrongUse as error:
        faults.append(error)
    if vocabulary is None or found is None:
        raise WrongUse(
            "; ".join(error.message for error in faults), " ".join(error.hint for error in faults)
        )
    check_together(encoder, decoder)
    for proto in (encoder, decoder):
        check_versions(proto)
        check_loops(proto)
    return Pair(encoder, decoder, found, vocabulary)


def served_translator(pair: Pair, column: str, sample: Path | None, report: Report) -> ServedGraph:
    """Try the graph, and make a model of it, whose text clients call `column`.

    The sample is a file of texts, or None; a line is reported for each finding. WrongUse: the
    sample is of another form. Refusal: the graph can't be served.
    """
    given = [] if sample is None else read_texts(sample, "--sample", column)
    pair = _as_long_as_it_runs(pair, report)
    vocabulary = pair.vocabulary
    proto = pair.graph()
    content = proto.SerializeToString(deterministic=True)
    one_by_one = _one_by_one(pair, open_session(content), report)
    # Positions that a run computes logits of at once.
    steps = 1 if pair.roles.stepwise else vocabulary.longest_output
    cost = max(vocabulary.longest_output**2, len(vocabulary.written) * steps)
    served = [
        Served(PREDICTION, WRITTEN, "string", (-1,)),
        Served(SCORE, SCORE, "float32", (-1,)),
    ]
    manifest = _serving_part(vocabulary, column, served, one_by_one, cost)
    model = Model("imported", 1, manifest, content)
    rows: list[Cells] = [[text] for text in given or [example(vocabulary)]]
    answers(model, [[example(vocabulary)], *rows])
    tensor = InputTensor(column, "string", "string", (), (column,))
    return ServedGraph(content, model, [tensor], served, frozenset(), rows, not given, one_by_one)


def expected_texts(path: Path, own: Answers) -> Answers:
    """The framework's own texts, and beside them the scores that are ONNX Runtime's.

    WrongUse: there are more or fewer than rows.
    """
    texts = read_texts(path, "--expected", PREDICTION)
    if len(texts) != len(own[PREDICTION]):
        raise WrongUse(f"--expected: expected {len(own[PREDICTION])} texts, got {len(texts)}")
    return own | {PREDICTION: np.array(texts, dtype=object)}


def example(vocabulary: Vocabulary) -> str:
    """A text that the model takes: the vocabulary's, else one of its first units."""
    if vocabulary.example is not None:
        return vocabulary.example
    units = [u for n, u in enumerate(vocabulary.read) if n not in vocabulary.special]
    return ("" if vocabulary.unit == CHARACTER else " ").join(units[: min(3, vocabulary.longest)])


def _serving_part(
    vocabulary: Vocabulary, column: str, served: Sequence[Served], one_by_one: bool, cost: int
) -> dict[str, Any]:
    text = column_entry(Column(column, "string"))
    public = {**text, "longest": vocabulary.longest_text, "shape": [-1, 1]}
    private: dict[str, Any] = {"name": IDS, "dtype": "int64", "columns": [column]}
    private |= {"ids": vocabulary.front_end(cost)}
    back_end = {PREDICTION: vocabulary.back_end()}
    return serving_part(served, [public], [private], one_by_one, back_end)


# trying


def _as_long_as_it_runs(pair: Pair, report: Report) -> Pair:
    """The same, for texts as long as the encoder runs with.

    Refusal: it does not end in time, does not run, or knows fewer units than the vocabulary.
    """
    vocabulary = pair.vocabulary
    around = len(vocabulary.before) + len(vocabulary.after)
    tried = pair.graph(tried=True).SerializeToString(deterministic=True)
    ran = check_it_ends(tried, None, {LENGTH: vocabulary.longest + around})[LENGTH] - around
    longest = max(1, min(ran, vocabulary.longest))
    session = open_session(tried)
    for length in {1 + around, longest + around}:
        written, widths = _run(session, _ids(vocabulary, 1, length), [WRITTEN, WIDTH], vocabulary)
    if set(widths.tolist()) != {len(vocabulary.written)}:
        raise Refusal(
            f"the decoder chooses from {widths[0]} units, and 'output' has "
            f"{len(vocabulary.written)}",
            "Write the vocabulary that it was trained with, every id in it.",
        )
    if longest < vocabulary.longest:
        report(f"the encoder runs with no more than {ran} units")
    report(f"texts may have 1 to {longest} units, answers up to {written.shape[1]}")
    return pair._replace(vocabulary=vocabulary._replace(longest=longest))


def _run(session: Any, ids: Array, outputs: Sequence[str], vocabulary: Vocabulary) -> list[Array]:
    try:
        return list(session.run(outputs, {IDS: ids}))
    except Exception as error:  # ONNX Runtime has a class for each of its codes
        raise Refusal(
            f"encoder and decoder do not run with {ids.shape[1]} ids from 0 to {ids.max()}, and "
            f"{vocabulary.longest_output} to be written: {one_line(error)}",
            "Has 'input' more units than the encoder knows? Is an answer longer than the decoder "
            "has positions for (--longest)? Are tensors linked that don't belong together?",
        ) from error


def _ids(vocabulary: Vocabulary, rows: int, length: int) -> Array:
    """Made-up ids, the highest among them: any unit of the vocabulary may come."""
    ids = np.random.default_rng(0).integers(0, len(vocabulary.read), (rows, length))
    ids[0, 0] = len(vocabulary.read) - 1
    return ids


def _one_by_one(pair: Pair, session: Any, report: Report) -> bool:
    """Whether rows have to be run one by one, each answered the same by itself as with others.

    Refusal: one row is answered differently each time.
    """
    vocabulary = pair.vocabulary
    around = len(vocabulary.before) + len(vocabulary.after)
    ids = _ids(vocabulary, TRIED_ROWS, min(TRIED_LENGTH, vocabulary.longest + around))
    names = [WRITTEN, SCORE]
    single = [_run(session, ids[n : n + 1], names, vocabulary) for n in range(TRIED_ROWS)]
    if not _equal(single[0], _run(session, ids[:1], names, vocabulary), 0, vocabulary.end):
        raise Refusal("one row is answered differently each time", MIXED_HINT)
    if scales_together([*all_nodes(pair.encoder), *all_nodes(pair.decoder)], report):
        return True
    try:
        rows = _run(session, ids, names, vocabulary)
        same = all(_equal(one, rows, n, vocabulary.end) for n, one in enumerate(single))
    except Refusal:
        same = False
    if not same:
        report("rows are run one by one: the graphs answer several at once differently, or not")
    return not same


def _equal(one: Sequence[Array], several: Sequence[Array], row: int, end: int) -> bool:
    """Whether a row by itself has the ids and the score of the row in several; all may end."""
    written, score = one
    if several[0].shape[:1] != several[1].shape or len(several[0]) <= row:
        return False
    steps = written.shape[1]
    return bool(
        several[0].shape[1] >= steps
        and (several[0][row, :steps] == written[0]).all()
        and (several[0][row, steps:] == end).all()
        and np.allclose(several[1][row], score[0], rtol=CLOSE, atol=CLOSE, equal_nan=True)
    )
