"""From a checked batch to the contributions of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, RequestTooLarge
from onnxlet.function.explanation import shapley
from onnxlet.function.explanation.background import Background, text_columns
from onnxlet.function.explanation.target import MOST_OUTPUTS, ExplainedOutput, target
from onnxlet.function.explanation.value_function import Position, TableValueFunction, Tensors
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.explanation.texts import Pieces, TokenCounts
    from onnxlet.function.explanation.tiles import Tiles

FEWEST_SLOTS = 50  # background rows, taken again where there are fewer: each has its own orders
MOST_CONTRIBUTIONS = 100_000  # numbers in one answer
NOT_FINITE = "the answer to this row is not finite: nothing adds up to it"
FREE = shapley.Budget()


class ExplainOptions(NamedTuple):
    """How a request wants its answers explained."""

    seconds: float = 2.0  # of runs, at the speed that was measured at build
    # To walk for each instance; None is exactly where there are few players.
    permutations: int | None = None
    seed: int = 0  # of the permutations
    output: str | None = None  # to explain; None is the most informative one
    classes: Sequence[Any] | None = None  # of it; None is all
    usual: int = 1000  # permutations to walk where nothing is said and there are many players


class Explained(NamedTuple):
    """The explanations of a batch."""

    target: ExplainedOutput  # what was explained
    outputs: Mapping[str, Array]  # the model's answers
    # The background's mean, of shape (numbers,); None where there is no background.
    base: Array | None
    end: Array  # what the batch is answered, of shape (rows, numbers)
    tiles: Mapping[str, Tiles]  # of the images, by column
    # The rows that were explained together; empty where there is no background.
    functions: Sequence[TableValueFunction]
    # For each function, its players' and columns' contributions, of shape (rows, players, numbers).
    values: Sequence[Array]
    errors: Sequence[Array]  # likewise; empty where the values are exact
    permutations: int  # that were walked for each row; 0 where the values are exact
    cut_short: bool = False  # time ran out, and the same request may have another answer


def explain(
    model: Model,
    rows: Background | None,
    table: CheckedBatch,
    options: ExplainOptions,
    budget: shapley.Budget = FREE,
) -> Explained:
    """Shapley values of every column of every row, and what the tiles of its images add.

    Without background `rows` there are only the tiles. The budget is of runs, and of time. Raises
    MalformedRequest where the model has no such output or class; InvalidRows where a row's answer
    is not finite, or a mix of it with the background's, or a cell is no image; RequestTooLarge
    where the answer would have too many numbers; TookTooLong where the request's deadline came
    first.
    """
    images = bool(model.signature.image_feeds)
    if images:
        from onnxlet.function.explanation import tiles  # models without images do without

        table = tiles.decoded(model, table)
    outputs = model.run(table)
    about = target(model, options.output, (*([rows.outputs] if rows else []), outputs))
    if options.classes is not None:
        about.restrict(options.classes, about.matrix(outputs).shape[1])
    end = about.matrix(outputs)
    _check_size(model, end)
    odd = np.flatnonzero(~np.isfinite(end).all(axis=1)).tolist()
    if odd:
        raise InvalidRows([Problem(row, None, NOT_FINITE) for row in odd])
    covered = {}
    if images:
        cover = None if rows is None else rows.table
        covered = tiles.occluded(
            model, table, end, cover, lambda part: about.matrix(model.run(part, about.output))
        )
    if rows is None:
        return Explained(about, outputs, None, end, covered, [], [], [], 0)
    start = about.matrix(rows.outputs)
    functions = list(_functions(model, rows.table, start, table, end, about))
    base = start.mean(axis=0)
    explained = Explained(about, outputs, base, end, covered, functions, [], [], 0)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused
        return _with_values(explained, options, budget)


def _with_values(
    explained: Explained, options: ExplainOptions, budget: shapley.Budget
) -> Explained:
    functions = explained.functions
    few = max(each.players for each in functions) <= shapley.EXACT_PLAYERS
    meant = options.permutations is None and few and shapley.cost(functions) <= budget.evaluations
    if meant and (values := shapley.exact(functions, budget)) is not None:
        return explained._replace(values=values)
    permutations = options.permutations or options.usual
    shares = shapley.sampled(functions, permutations, options.seed, budget)
    return explained._replace(
        values=[each.values for each in shares],
        errors=[each.errors for each in shares],
        permutations=shares[0].permutations,
        cut_short=meant or shares[0].cut_short,
    )


def _check_size(model: Model, end: Array) -> None:
    rows, numbers = end.shape
    if numbers > MOST_OUTPUTS:
        raise RequestTooLarge(
            f"{numbers} numbers for each row: at most {MOST_OUTPUTS} are explained at once",
            "Name some of them in 'classes'.",
        )
    columns = parts = len(model.signature.columns)
    if model.signature.image_feeds:
        from onnxlet.function.explanation.tiles import grids

        parts += sum(down * across for down, across in grids(model).values())
    if rows * numbers * parts > MOST_CONTRIBUTIONS:
        tiled = f", {parts - columns} tiles" if parts > columns else ""
        raise RequestTooLarge(
            f"{rows} rows of {columns} columns{tiled} and {numbers} numbers: at most "
            f"{MOST_CONTRIBUTIONS} contributions are answered at once",
            "Send fewer rows, or name some 'classes'.",
        )


def _functions(
    model: Model,
    background: CheckedBatch,
    start: Array,
    table: CheckedBatch,
    end: Array,
    about: ExplainedOutput,
) -> Iterator[TableValueFunction]:
    """One value function of all rows; one of each row where texts have tokens of their own."""

    def evaluate(masked: CheckedBatch, counted: Tensors) -> Array:
        return about.matrix(model.run(masked, about.output, counted))

    answered = next(o for o in model.signature.outputs if o.name == about.output)
    wide = int(np.prod(answered.shape[1:]))
    pixels = 0
    if model.signature.image_feeds:
        from onnxlet.function.explanation.tiles import pixels_of

        pixels = pixels_of(model)
    positions = model.signature.positions
    texts = dict(sorted((positions[name], each) for name, each in text_columns(model).items()))
    starts = np.concatenate([start] * -(-FEWEST_SLOTS // background.rows))
    every = list(range(table.rows))
    for numbers in [[row] for row in every] if texts else [every]:
        part = CheckedBatch(len(numbers), [array[numbers] for array in table.arrays])
        pieces, counts = _cut(model, part, texts) if texts else ({}, {})
        yield TableValueFunction(
            background, starts, part, end[numbers], numbers, pieces, counts, evaluate, wide, pixels
        )


def _cut(
    model: Model, row: CheckedBatch, texts: Mapping[Position, Sequence[Mapping[str, Any]]]
) -> tuple[dict[Position, Pieces], dict[Position, list[TokenCounts]]]:
    """The texts of one row in pieces, and what these count."""
    from onnxlet.function.explanation.texts import counted, cut  # models without text do without

    read = {at for feed in model.signature.feeds for at in feed.at}
    pieces, counts = {}, {}
    for (block, position), settings in texts.items():
        found = cut(str(row.arrays[block][0, position]), settings)
        feeds = [feed for feed in model.signature.token_feeds if feed.at == (block, position)]
        pieces[block, position] = found
        if (block, position) not in read and (known := counted(feeds, settings, found)):
            counts[block, position] = known
    return pieces, counts
