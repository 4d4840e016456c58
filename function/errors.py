"""Every error this package raises on purpose.

OnnxletError                 message, and a hint: what to do about it
├── SettingsError            the environment variables are wrong; stops the process
├── ModelError               a model directory is missing, broken or altered; stops the process
├── WrongUse                 a command can't be carried out as it was given; exit code 2
└── RequestError             the client's mistake; has an HTTP status
    ├── MalformedRequest     400  not JSON, not CSV, not the form of a native request
    ├── Unauthorized         401  no key, or one that is not known
    ├── Forbidden            403  from a page of another site, or for another host
    ├── UnknownModel         404  no such model or version
    ├── NotServed            404  a route that is served elsewhere
    ├── NoBackground         409  a model without background rows, or without numbers to explain
    ├── NotCalibrated        409  a coverage that the model's held-out rows don't support
    ├── NoNeighbours         409  a number of nearest that the model does not answer
    ├── NotAcceptable        406  the answer is asked for in a media type that is not written
    ├── RequestTooLarge      413  too many bytes or rows
    ├── UnsupportedMedia     415  a media type or encoding that is not read here
    ├── InvalidRows          422  well-formed, but against the model's signature
    ├── TookTooLong          503  no answer within the time that a request may take
    └── Overloaded           503  more requests at once than this server takes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

# What a server puts into a request's WSGI environ, for Overloaded and TookTooLong.
SHED = "onnxlet.shed"  # there: too many requests wait for the server already
# There: a list of what is to be called, by the thread that answers, once the response is sent.
LATER = "onnxlet.later"
# There: a dictionary that all requests of one connection share whose heads are the same bytes.
SAME_HEAD = "onnxlet.same_head"
CAME = "onnxlet.came"  # when the request had come as a whole, on the clock of time.perf_counter

SHOWN_PROBLEMS = 20
PANDAS_ROWS = 'df.to_json(orient="records", date_format="iso")'  # what hints say of frames
DATES_BY_PANDAS = f"pandas writes text by {PANDAS_ROWS}"
LISTED_PROBLEMS = 1000  # beside an answer
LONGEST_LINE = 2000  # characters of a message's line


def quoted(value: Any, most: int = 60) -> str:
    """A client's value for a message: cut off, and only described where it is nested deeply.

    It is as JSON has it, or a list-like object of `function/inputs/large_json.py`.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | list):
        return "a list" if len(value) else "[]"
    try:
        return repr(value[:most] if isinstance(value, list) else value)[:most]
    except RecursionError:  # JSON may be deeper than Python writes
        return "lists or objects, nested deeply"


def shortened(text: str, most: int = LONGEST_LINE) -> str:
    """A text whose long lines are cut in their middle, as by a column's name of megabytes."""
    if len(text) <= most:
        return text
    lines = (
        line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 3 :]}"
        for line in text.split("\n")
    )
    return "\n".join(lines)


class OnnxletError(Exception):
    """An error with a message for its reader (place, expected and got) and, if any, a way out.

    `exit_code` is of a command that it stops.
    """

    exit_code = 1
    message: str
    hint: str  # empty where there is no way out

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = shortened(message), shortened(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: nothing in one would help its reader."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(OnnxletError):
    """One or more environment variables can't be used."""


class ModelError(OnnxletError):
    """A model directory is missing, broken or altered."""


class WrongUse(OnnxletError):
    """A command names something that is not there, or not in the form it needs."""

    exit_code = 2


class RequestError(OnnxletError):
    """A client's mistake; `status` and `headers`, by name, are of the HTTP response."""

    status = 400
    headers: ClassVar[Mapping[str, str]] = {}


class MalformedRequest(RequestError):
    """The body is not JSON, not CSV, or not of the form of a native request."""

    model: str | None = None  # the name that the body gives all the same, or None


class Unauthorized(RequestError):
    """The request bears no key, or one that is not known here."""

    status = 401
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class Forbidden(RequestError):
    """The request comes from another site's page, asks for another host, or by another key."""

    status = 403


class UnknownModel(RequestError):
    """No such model or version is served here."""

    status = 404


class NotServed(RequestError):
    """The route exists, and has nothing to answer where this runs, as `/metrics` on Lambda."""

    status = 404


class NoBackground(RequestError):
    """The model has no background rows that its answers could be explained from, or no numbers."""

    status = 409


class NotCalibrated(RequestError):
    """The model has no table for prediction intervals or sets, or none for such a coverage."""

    status = 409


class NoNeighbours(RequestError):
    """The model answers no neighbours, or not as many as are asked for."""

    status = 409


class NotAcceptable(RequestError):
    """The answer is asked for in media types that are not written here."""

    status = 406


class RequestTooLarge(RequestError):
    """The body has more bytes or rows than the limits allow."""

    status = 413


class UnsupportedMedia(RequestError):
    """The media type or content encoding is not one that is read here."""

    status = 415


class TookTooLong(RequestError):
    """The time that a request may take was over before it was answered."""

    status = 503


class Overloaded(RequestError):
    """More requests are in flight than this server takes."""

    status = 503
    headers: ClassVar = {"Retry-After": "1"}  # seconds: most answers take far less


class Problem(NamedTuple):
    """What is wrong with one cell, row or column of a batch."""

    row: int | None  # index of the instance, from 0; None where the whole batch is meant
    column: str | None  # the column's name; None where the whole row is meant
    detail: str  # expected and got

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        where += [f"column '{self.column}'"] if self.column is not None else []
        return ", ".join(where) + (": " if where else "") + self.detail


class InvalidRows(RequestError):
    """Rows that don't fit the signature."""

    status = 422
    count: int  # of all problems
    problems: list[Problem]  # the first ones, by row and column

    def __init__(
        self, problems: Sequence[Problem], count: int | None = None, hint: str = ""
    ) -> None:
        self.count = len(problems) if count is None else count
        self.every = problems  # in that order
        self.problems = list(problems[:SHOWN_PROBLEMS])
        others = f"{self.count - 1} more problem{'s' * (self.count > 2)}"
        more = f" (and {others})" * (self.count > 1)
        super().__init__(f"{self.problems[0]}{more}", hint)


class Problems:
    """Collects the problems of a batch that is read in parts; there may be millions."""

    def __init__(self) -> None:
        self.first: list[Problem] = []  # the first ones in order, and one of each further row
        self.count = 0  # of all

    def add(self, problems: Sequence[Problem], start: int = 0) -> None:
        """Add the problems of the next rows, in order, the first of which is at `start`."""
        self.count += len(problems)
        last = self.first[-1].row if self.first else None
        for problem in problems:
            row = None if problem.row is None else problem.row + start
            if len(self.first) < LISTED_PROBLEMS or row != last:
                self.first.append(problem._replace(row=row))
                last = row
