"""What `prove` has found: a certificate, or what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.lines_as_html import lines_as_html
from onnxlet.convert.parity.certificate import parity_lines
from onnxlet.convert.prove.judge import Example

SHOWN_CELLS, SHOWN = 6, 200  # cells of an example; characters of a cell or an answer


@dataclass(frozen=True, repr=False)
class Proof:
    """How a subject's answers compare with an estimator's. Notebooks show it.

    Attributes:
        subject: what was compared.
        estimator: with what.
        equal: whether every row that was compared is answered as the estimator does.
        parity: what was measured, as a manifest's certificate has it.
        rows: by kind (held-out, edge-case, drawn), how many rows were compared.
        differing: by kind, how many of them are answered differently, or refused.
        example: a row that differs, as near as possible to a held-out one that does not; or None.
        causes: why, as far as a test of it has shown.
        notes: what was not compared, and why.
        step: of a ColumnTransformer the parts that read what makes the example differ.
    """

    subject: str
    estimator: str
    equal: bool
    parity: Mapping[str, Any]
    about: Mapping[str, Any]  # the task, and classes where there are any
    rows: Mapping[str, int]
    differing: Mapping[str, int]
    columns: Sequence[str]
    example: Example | None = None
    causes: Sequence[str] = ()
    notes: Sequence[str] = ()
    step: str = ""

    def lines(self) -> Iterator[str]:
        """The certificate, or what differs, line by line."""
        verdict = (
            "equal: {} answers as {} does"
            if self.equal
            else "different: {} does not answer as {} does"
        )
        yield verdict.format(self.subject, self.estimator)
        yield from parity_lines(self.parity, self.about)
        for note in self.notes:
            yield f"  note        {note}"
        if not self.equal:
            of = zip(self.rows.items(), self.differing.values(), strict=True)
            counts = ", ".join(f"{off} of {count} {kind}" for (kind, count), off in of)
            yield f"  differ      {counts} rows"
        if self.example is not None:
            yield from self._example_lines(self.example)
        if self.step:
            yield f"  step        what makes it differ is read by {self.step}"
        for cause in self.causes:
            yield f"  cause       {cause}"

    def _example_lines(self, example: Example) -> Iterator[str]:
        names = self.columns
        changed = [
            f"{names[at]}={_cut(example.row[at])} instead of {_cut(example.base[at])}"
            for at in example.changed[:SHOWN_CELLS]
        ]
        cells = [f"{n}={_cut(cell)}" for n, cell in zip(names, example.row, strict=True)]
        more = ", …" if len(example.changed or cells) > SHOWN_CELLS else ""
        some = f" with {', '.join(changed)}" if changed else f": {', '.join(cells[:SHOWN_CELLS])}"
        yield f"  example     held-out row {example.position}{some}{more}"
        for name, expected in example.expected.items():
            got = _cut(example.got[name]) if name in example.got else "no answer"
            yield f"              {name}: expected {_cut(expected)}, got {got}"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return lines_as_html(list(self.lines()))

    def __bool__(self) -> bool:
        return self.equal


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
