"""The rows that a conversion is judged by, and what is said where they speak against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.edge_cases import hardened_column
from onnxlet.convert.manifest import versions
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.to_onnx import TOO_NARROW
from onnxlet.function.inputs.signature import Column

NO_HINT = (
    "Replace the step that differs or can't be converted by one that can: "
    "docs/coverage.md lists them."
)
REASON_LENGTH = 200  # characters of somebody else's message
SHOWN_CELLS = 6
LOOKED_AT = 200  # wrong rows that are searched for what they have in common


@dataclass(frozen=True)
class Evidence:
    """Rows and scikit-learn's answers to them: held-out ones, hard ones, drawn ones.

    Attributes:
        rows: in signature order.
        expected: by output name.
        held_out: how many rows are held-out ones; they come first.
        raising: rows that each cell was allowed for, and that scikit-learn raised for.
        drawn: how many were drawn within the data's range; they come last.
    """

    rows: list[Cells]
    expected: Answers
    held_out: int
    raising: Sequence[Cells] = ()
    drawn: int = 0

    @property
    def hard(self) -> int:
        """Rows that were made hard on purpose."""
        return len(self.rows) - self.held_out - self.drawn

    @property
    def kinds(self) -> dict[str, range]:
        """Positions of the rows of each kind."""
        first, last = self.held_out, len(self.rows) - self.drawn
        return {
            "held-out": range(first),
            "hard": range(first, last),
            "drawn": range(last, len(self.rows)),
        }


class Failed(NamedTuple):
    """A way of typing the inputs that did not answer as scikit-learn does, and why."""

    recipe: str
    reason: str
    hint: str = ""
    error: BaseException | None = None


class NoConversion(Refusal):
    """No recipe converts the model faithfully.

    Attributes:
        failed: each recipe and what speaks against it.
    """

    def __init__(self, message: str, hint: str, failed: Sequence[Failed]) -> None:
        super().__init__(message, hint)
        self.failed = tuple(failed)


class OnRounding(NoConversion):
    """A conversion passes only if a large share of the rows is forgiven.

    Attributes:
        estimator: its name.
        forgiven: how many rows, in words.
    """

    def __init__(
        self, estimator: str, forgiven: str, failed: Sequence[Failed], more: str = ""
    ) -> None:
        self.estimator, self.forgiven = estimator, forgiven
        reason = f"{forgiven} come out otherwise where the last digits of their numbers do"
        way_out = "Scale the columns, or fit in float64." if more else "Scale the columns."
        super().__init__(
            f"{estimator}: its answers depend on rounding: {reason}{more}",
            f"Nothing was written. {way_out}",
            failed,
        )

    def in_both(self, in_float64: NoConversion) -> OnRounding:
        """Where the answers in float64 prove nothing either."""
        if isinstance(in_float64, OnRounding):
            more = f"; and {in_float64.forgiven} do in float64"
        else:
            more = "\n".join(["; and in float64:", *in_float64.message.splitlines()[1:]])
        return OnRounding(self.estimator, self.forgiven, in_float64.failed, more)


def why_not(comparison: Comparison, evidence: Evidence, columns: Sequence[Column]) -> str:
    """Which rows and columns are off, how far, and the first of them."""
    if comparison.refused:
        return f"the function refuses {len(comparison.refused)} cells: {comparison.refused[0]}"
    name, difference = max(comparison.outputs.items(), key=lambda item: len(item[1].wrong))
    off = f"{name} differs on {len(difference.wrong)} of {len(evidence.rows)} rows"
    if evidence.expected[name].dtype.kind == "f":
        off += f" by up to {difference.absolute:.3g} (relative {difference.relative:.3g})"
    row = difference.wrong[0]
    kind = next(kind for kind, positions in evidence.kinds.items() if row in positions)
    cells = ", ".join(_most_telling(evidence, columns, row))
    expected = evidence.expected[name][row : row + 1].tolist()[0]
    got = difference.got.get(row, "an array of another shape")
    return (
        f"{off}{_common_columns(evidence, columns, difference.wrong)}; "
        f"first on {kind} row {row}: expected {expected}, got {got} at {cells}"
    )


def _common_columns(evidence: Evidence, columns: Sequence[Column], wrong: Sequence[int]) -> str:
    held_out = evidence.rows[: evidence.held_out]
    hard = [row for row in wrong if row in evidence.kinds["hard"]]
    if 2 * (len(wrong) - len(hard)) > evidence.held_out + evidence.drawn:
        return ""  # it is off everywhere
    looked_at = hard[:: len(hard) // LOOKED_AT + 1]
    found = Counter(hardened_column(columns, held_out, evidence.rows[row]) for row in looked_at)
    found.pop(None, None)
    most = [f"'{name}' ({count})" for name, count in found.most_common(3)]
    return f", mostly where a column was made hard: {', '.join(most)}" if most else ""


def _most_telling(evidence: Evidence, columns: Sequence[Column], row: int) -> list[str]:
    """The row's cells, the one that was made hard alone where there is one."""
    cells = evidence.rows[row]
    held_out = evidence.rows[: evidence.held_out]
    is_hard = row in evidence.kinds["hard"]
    hard = hardened_column(columns, held_out, cells) if is_hard else None
    shown = [
        f"{column.name}={cell!r:.60}"
        for column, cell in zip(columns, cells, strict=True)
        if hard in (None, column.name)
    ]
    return [*shown[:SHOWN_CELLS], *(["…"] if len(shown) > SHOWN_CELLS else [])]


def no_conversion(estimator: str, failed: Sequence[Failed]) -> NoConversion:
    """The refusal of a model that no recipe converts faithfully; each reason once."""
    recipes: dict[str, dict[str, None]] = {}  # by reason, each recipe once
    unsupported = [one for one in failed if one.reason.startswith("step ")]
    for one in unsupported or failed:
        recipes.setdefault(one.reason, {})[one.recipe] = None
    hints = list(dict.fromkeys(one.hint for one in failed if one.hint))
    with_what = ", ".join(f"{tool} {version}" for tool, version in list(versions().items())[:5])
    if unsupported:
        reasons = list(recipes)[:2]  # whatever the inputs are typed as
    else:
        if len(recipes) > 1:  # that float32 is too narrow tells nobody what to do
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


def shortened(error: BaseException) -> str:
    """Somebody else's message on one line, cut where it runs on."""
    text = " ".join(str(error).split())
    return text if len(text) <= REASON_LENGTH else text[:REASON_LENGTH] + "…"
