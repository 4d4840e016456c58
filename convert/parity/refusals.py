"""Why a model is refused: what speaks against each of its conversions, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.edge_cases import odd_column
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.manifest import versions
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.spacing import every_nth
from onnxlet.convert.to_onnx import TOO_NARROW
from onnxlet.folders import documented
from onnxlet.function.inputs.columns import Column

NO_HINT = "Replace the step that differs or can't be converted by one that can" + documented(
    ": docs/reference/coverage.md lists them.", "."
)
LEAVE_OUT = "Leave out what can't be met:"
SHOWN_CELLS = 6
SHOWN_ANSWER = 400  # characters: an answer may have thousands of numbers
MOST_COMPARED = 200  # wrong rows that are searched for what they have in common


class FailedRecipe(NamedTuple):
    """A way of typing the inputs that does not answer as scikit-learn does."""

    recipe: str  # its name
    reason: str  # why it was not taken
    hint: str = ""  # what to do about it
    error: BaseException | None = None  # that its conversion raised


def leave_out(comparison: Comparison) -> str:
    """A hint where only outputs beside the prediction differ; empty otherwise."""
    wrong = [name for name, off in comparison.outputs.items() if off.wrong]
    names = sorted(wrong or comparison.off)
    if not names or "prediction" in names or comparison.refused:
        return ""
    options = " ".join(f"--without {name}" for name in names)
    return f"{LEAVE_OUT} {options}, or build(…, without={names})."


class NoConversion(Refusal):
    """No recipe converts the model faithfully."""

    def __init__(self, message: str, hint: str, failed: Sequence[FailedRecipe]) -> None:
        super().__init__(message, hint)
        self.failed = tuple(failed)  # each recipe and what speaks against it


class DependsOnRounding(NoConversion):
    """A conversion of an estimator passes only if a large share of the rows is forgiven."""

    def __init__(
        self, estimator: str, forgiven: str, failed: Sequence[FailedRecipe], more: str = ""
    ) -> None:
        self.estimator, self.forgiven = estimator, forgiven
        hints = dict.fromkeys(one.hint for one in failed if one.hint.startswith(LEAVE_OUT))
        reason = f"{forgiven} come out differently where the last digits of their numbers do"
        way_out = "Scale the columns, or fit in float64." if more else "Scale the columns."
        super().__init__(
            f"{estimator}: its answers depend on rounding: {reason}{more}",
            " ".join(["Nothing was written.", way_out, *hints]),
            failed,
        )

    def in_both(self, in_float64: NoConversion) -> DependsOnRounding:
        """Where the answers in float64 prove nothing either."""
        if isinstance(in_float64, DependsOnRounding):
            more = f"; and {in_float64.forgiven} do in float64"
        else:
            more = "\n".join(["; and in float64:", *in_float64.message.splitlines()[1:]])
        return DependsOnRounding(self.estimator, self.forgiven, in_float64.failed, more)


def differences_in_words(
    comparison: Comparison, evidence: Evidence, columns: Sequence[Column]
) -> str:
    """Why a comparison failed: which rows and columns differ, how far, and the first of them."""
    if comparison.refused:
        return f"the function refuses {len(comparison.refused)} cells: {comparison.refused[0]}"
    name, difference = max(comparison.outputs.items(), key=lambda item: len(item[1].wrong))
    off = f"{name} differs on {len(difference.wrong)} of {comparison.compared} rows"
    if evidence.expected[name].dtype.kind == "f":
        off += f" by up to {difference.absolute:.3g} (relative {difference.relative:.3g})"
    row = difference.wrong[0]
    kind = next(kind for kind, positions in evidence.kinds.items() if row in positions)
    cells = ", ".join(_shown_cells(evidence, columns, row))
    expected = evidence.expected[name][row : row + 1].tolist()[0]
    got = difference.got.get(row, "an array of another shape")
    wanted, answered = (
        text if len(text) <= SHOWN_ANSWER else f"{text[:SHOWN_ANSWER]}…"
        for text in map(str, (expected, got))
    )
    return (
        f"{off}{_common_columns(evidence, columns, difference.wrong)}; "
        f"first on {kind} row {row}: expected {wanted}, got {answered} at {cells}"
    )


def _common_columns(evidence: Evidence, columns: Sequence[Column], wrong: Sequence[int]) -> str:
    held_out = evidence.rows[: evidence.held_out]
    odd = [row for row in wrong if row in evidence.kinds["edge-case"]]
    if 2 * (len(wrong) - len(odd)) > evidence.held_out + evidence.drawn:
        return ""  # it is off everywhere
    some = every_nth(odd, MOST_COMPARED)
    found = Counter(odd_column(columns, held_out, evidence.rows[row]) for row in some)
    found.pop(None, None)
    most = [f"'{name}' ({count})" for name, count in found.most_common(3)]
    return f", mostly where an edge case is odd in {', '.join(most)}" if most else ""


def _shown_cells(evidence: Evidence, columns: Sequence[Column], row: int) -> list[str]:
    """The row's cells; of an edge case that is odd in one column, only that one."""
    cells = evidence.rows[row]
    held_out = evidence.rows[: evidence.held_out]
    is_edge_case = row in evidence.kinds["edge-case"]
    odd = odd_column(columns, held_out, cells) if is_edge_case else None
    shown = [
        f"{column.name}={cell!r:.60}"
        for column, cell in zip(columns, cells, strict=True)
        if odd in (None, column.name)
    ]
    return [*shown[:SHOWN_CELLS], *(["…"] if len(shown) > SHOWN_CELLS else [])]


def no_conversion(estimator: str, failed: Sequence[FailedRecipe]) -> NoConversion:
    """The refusal of a model that no recipe converts faithfully; each reason once."""
    recipes: dict[str, dict[str, None]] = {}  # by reason, each recipe once
    unsupported = [one for one in failed if one.reason.startswith("step ")]
    for one in unsupported or failed:
        recipes.setdefault(one.reason, {})[one.recipe] = None
    hints = list(dict.fromkeys(one.hint for one in failed if one.hint))
    with_what = ", ".join(f"{tool} {version}" for tool, version in list(versions().items())[:6])
    if unsupported:
        reasons = list(recipes)[:2]  # whatever the inputs are typed as
    else:
        if len(recipes) > 1:  # that float32 is too narrow says nothing of what to do
            recipes = {
                reason: names for reason, names in recipes.items() if TOO_NARROW not in reason
            }
        reasons = [f"as {' and '.join(names)}: {reason}" for reason, names in recipes.items()]
    refusal = NoConversion(
        "\n".join(
            [
                f"{estimator}: no conversion answers as scikit-learn does ({with_what})",
                *(f"  {reason}" for reason in reasons),
            ]
        ),
        f"Nothing was written. {' '.join(hints) or NO_HINT}",
        failed,
    )
    refusal.__cause__ = next((one.error for one in failed if one.error), None)  # for --debug
    return refusal
