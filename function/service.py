"""One prediction, whatever it came through: choose, validate, run, encode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from function import native
from function.errors import RequestTooLarge
from function.model import Model
from function.repository import Repository
from function.settings import Settings
from function.table import read_table


class Prediction(NamedTuple):
    """What happened, for the log and for `observe`.

    Attributes:
        request_id: the id that the answer bears.
        model: which one answered.
        instances: the rows as they came.
        answer: the native answer; its arrays are NumPy's.
    """

    request_id: str
    model: Model
    instances: Sequence[Any]
    answer: dict[str, Any]


Observe = Callable[[Prediction], None]


@dataclass(frozen=True)
class Service:
    """What answering needs."""

    settings: Settings
    repository: Repository
    observe: Observe | None = None

    def predict(
        self,
        call: native.Call,
        request_id: str,
        name: str | None = None,
        version: int | None = None,
    ) -> Prediction:
        """Answer a native call.

        Raises:
            UnknownModel, RequestTooLarge, InvalidRows: the client's mistakes.
        """
        model = self.repository.choose(name or call.model, version)
        if len(call.rows) > self.settings.max_rows:
            raise RequestTooLarge(
                f"expected at most {self.settings.max_rows} rows, got {len(call.rows)}",
                "Send them in several requests.",
            )
        answer = answer_rows(model, call)
        prediction = Prediction(request_id, model, call.rows, answer)
        if self.observe is not None:
            self.observe(prediction)
        return prediction


def answer_rows(model: Model, call: native.Call) -> dict[str, Any]:
    """The native answer to a call; what golden rows are replayed through, too.

    Raises:
        InvalidRows: with every problem, located.
    """
    rows = call.rows
    if call.text:
        from function import csv_text

        rows = csv_text.typed(rows, model.signature.columns)
    table = read_table(rows, model.signature, call.faults)
    return native.encode(model.name, model.version, model.classes, model.run(table))
