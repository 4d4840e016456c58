"""What a protocol takes and gives: a request, what it asks for, a prediction, a reply.

A protocol turns a Request into a PredictRequest, and a Prediction into a Reply; nothing here or
there knows of Flask or of ONNX Runtime.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from onnxlet.function import json_text
from onnxlet.function.arrays import Cells, as_array
from onnxlet.function.errors import (
    InvalidRows,
    OnnxletError,
    Problem,
    RequestError,
    RequestTooLarge,
)

if TYPE_CHECKING:
    from onnxlet.function.arrays import Array
    from onnxlet.function.inputs.validation import CheckedBatch
    from onnxlet.function.models.model import Model
    from onnxlet.function.monitoring.unusual import Comparison

JSON = "application/json"
FEW_ROWS = 100  # whose answer is written at once: a larger one would hold the interpreter


class Request(NamedTuple):
    """One HTTP request, its body read and unpacked."""

    body: bytes = b""  # as received; empty where there is none
    # Of the body, without parameters, in lower case; empty where none is given.
    media_type: str = ""
    parameters: Mapping[str, str] = {}  # of the media type, such as `charset`
    query: Mapping[str, str] = {}  # the first value of each query parameter
    # Gives the named header's value, or an empty text.
    header: Callable[[str], str] = lambda name: ""
    most_rows: int = sys.maxsize  # a batch of more is refused before it is read
    key: str = ""  # name of the API key that asks; empty where there is none

    def check_rows(self, rows: int, counted: bool = True) -> None:
        """Raise RequestTooLarge for too many rows; `counted` says that these are all."""
        if rows > self.most_rows:
            got = f", got {rows}" if counted else ""
            raise RequestTooLarge(
                f"expected at most {self.most_rows} rows{got}", "Send them in several requests."
            )


class Reply(NamedTuple):
    """One HTTP response."""

    body: bytes  # to send
    media_type: str = JSON  # of the body
    status: int = 200  # of HTTP
    headers: Mapping[str, str] = {}  # further ones, by name
    notes: Mapping[str, Any] = {}  # for the request's line in the log


def json_reply(
    answer: Any, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Reply:
    """A reply in JSON; NumPy arrays as lists, NaN and infinities as null."""
    return Reply(json_text.dumps(answer), media_type, status, headers or {})


def answer_reply(
    prediction: Prediction, answer: Any, headers: Mapping[str, str] | None = None
) -> Reply:
    """A prediction's reply in JSON; one of many rows is written in slices."""
    dumps = json_text.dumps if prediction.rows <= FEW_ROWS else json_text.dumps_large
    return Reply(dumps(answer), JSON, 200, headers or {})


class Tensor(NamedTuple):
    """One named array of a request, its type declared by the client."""

    # Of the declared dtype and shape; text and mixed data in an object array. Rows first. Cells of
    # few values that came as text, and are of the declared type.
    array: Array | Cells
    datatype: str  # as the client declared it

    def as_array(self) -> Array:
        """Its values as an array."""
        return as_array(self.array)


class PredictRequest(NamedTuple):
    """A request for predictions, decoded but not yet checked against a model: rows, or tensors."""

    # The instances as received: objects by column name, or lists of values.
    rows: Sequence[Any] = ()
    # The columns that the values of lists belong to; None is signature order.
    names: Sequence[str] | None = None
    tensors: Mapping[str, Tensor] | None = None  # by name; None where there are rows
    model: str | None = None  # the name that the body gives, or None
    text: bool = False  # rows are lists of text (from CSV), to be read by their columns' types
    # By column, "" for all others: its numbers are as people write them, such as 1.335,97 €, with
    # this before decimals, "." or ",". Those of other columns are as in JSON.
    numbers: Mapping[str, str] = {}
    images: bool = False  # rows are lists of one image each, for a model of one image
    faults: Mapping[int, str] | None = None  # rows that are broken already, and why; None is none
    # A row that can't be answered is answered by null, and does not lose the others.
    nulls: bool = False
    # Of prediction intervals or sets, strictly between 0 and 1; None asks for none.
    coverage: float | None = None
    wider: float = 1.0  # times as wide as at build its intervals or sets are, by truths since
    k: int | None = None  # how many nearest are wanted, from 1; None leaves it to the model
    unusual: bool | None = None  # mark rows that are unlike the training rows; None: as is set
    # What rows are compared with, and refused by; None where none is refused for that.
    refusing: Comparison | None = None
    options: Any = None  # what the protocol itself needs again when it encodes the answer


class Prediction(NamedTuple):
    """What a model answered; `observe` is called with it, too."""

    request_id: str  # the id that the answer has in its `X-Request-Id`
    model: Model  # which one answered
    table: CheckedBatch  # the checked batch, the rows that were answered
    # By output name, rows first: numbers as ONNX Runtime gave them, labels in their own type. Where
    # rows were not answered, all rows are here, these as NaN or None.
    outputs: Mapping[str, Array]
    rows: int  # how many instances there were, those not answered included
    problems: Sequence[Problem] = ()  # why some were not: the first reasons, and one for each row
    problem_count: int = 0  # how many reasons there are in all
    # The outputs of the answered rows only, with as many nearest as the model answers where no `k`
    # is given; None where that is all that the answer has.
    answered: Mapping[str, Array] | None = None
    # What was counted of texts and images, by their block and position there.
    noted: Mapping[tuple[int, int], Sequence[float]] = {}
    # Of the intervals or sets among the outputs; None where there are none.
    coverage: float | None = None
    # Of each row that was answered what is unusual, None of an ordinary one; None as a whole where
    # rows were not compared with training rows.
    unusual: Sequence[Mapping[str, Any] | None] | None = None
    key: str = ""  # name of the API key that asked; empty where there is none


class Failure(NamedTuple):
    """Why a request is refused, for a protocol to write in its own form."""

    status: int  # of HTTP, as in the native protocol
    kind: str  # the error's class
    detail: str  # place, expected and got
    hint: str = ""  # what to do, or an empty text
    # Located ones, the first of them; empty where the rows are not the reason.
    problems: Sequence[Problem] = ()
    error_count: int = 0  # how many there are in all
    headers: Mapping[str, str] = {}  # of HTTP, that its response has whatever the protocol


def failure_of(error: Exception) -> Failure:
    """What a client may read of an error: nothing of an unexpected one, which may quote data."""
    kind = type(error).__name__
    if not isinstance(error, OnnxletError):
        return Failure(500, kind, "the server failed; its log has the request id")
    if not isinstance(error, RequestError):
        return Failure(500, kind, error.message, error.hint)
    failure = Failure(error.status, kind, error.message, error.hint, headers=error.headers)
    if isinstance(error, InvalidRows):
        return failure._replace(problems=error.problems, error_count=error.count)
    return failure


class Route(NamedTuple):
    """What answers one method at one rule, and who may ask when."""

    method: str  # of HTTP
    rule: str  # in Flask's form; its variables are arguments of `answer`
    # Makes the reply from the service, the request and the rule's variables; None where `protocol`
    # predicts.
    answer: Callable[..., Reply] | None = None
    # What `/openapi.json` says of it; None where `function/openapi` has the words.
    describe: Callable[[Any], Any] | None = None
    protocol: WireProtocol | None = None  # whose predictions are made here, or None
    open: bool = False  # it needs no API key, and is never shed
    urgent: bool = False  # it is never shed, and a server answers it before the requests that wait
    options: Sequence[str] = ()  # parameters that its query may have; where none, any are ignored

    @property
    def key(self) -> str:
        """Method and rule, such as `GET /models/<name>`."""
        return f"{self.method} {self.rule}"


def fixed(answer: Any) -> Callable[..., Reply]:
    """What answers a route that says the same whatever is asked."""
    return lambda service, request: json_reply(answer)


def names_of_models(service: Any, request: Request) -> Reply:
    """The names of all models, as V1 and the Open Inference Protocol have them."""
    return json_reply({"models": service.repository.names})


def of_model(describe: Callable[[Any, Model], Any]) -> Callable[..., Reply]:
    """What answers a route below a model's or version's path: in JSON, what it is described as."""

    def answer(service: Any, request: Request, name: str, version: str | None = None) -> Reply:
        return json_reply(describe(service, service.repository.choose(name, version)))

    return answer


class WireProtocol(Protocol):
    """One protocol that clients speak: a folder of `onnxlet.function.protocols`."""

    __name__: str
    OWN: str  # pattern of the paths on which errors are answered in this protocol's form
    # Rules of the POST routes that predict, with the variables `name` and `version`.
    PREDICT: Sequence[str]
    OPTIONS: Sequence[str]  # parameters that the query of a prediction may have
    MODEL_HEADER: str  # names a model where the path does not, as WSGI spells it; or empty
    ROUTES: Sequence[Route]  # its other routes

    def decode(self, request: Request) -> PredictRequest:
        """Read a request for predictions.

        Raises:
            RequestError: it is not one.
        """

    def encode(self, prediction: Prediction, decoded: PredictRequest) -> Reply:
        """Write the answer.

        Args:
            prediction: its outputs are NumPy arrays, rows first.
            decoded: as `decode` returned it, with the options that it found.

        Raises:
            RequestError: the answer can't have the form that was asked for.
        """

    def refuse(self, failure: Failure) -> Reply:
        """Write an error, with the status that this protocol has for it."""
