"""A subject that answers by HTTP: in the native protocol, v2, V1, or MLflow's.

What comes back is a stranger's: redirects are not followed, and sizes and times are bounded.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

import numpy as np

from onnxlet.convert.errors import printable, shortened
from onnxlet.convert.prove.directory import certified
from onnxlet.convert.prove.endpoint_forms import Form, form_of, lists_by_output
from onnxlet.convert.prove.subject import Given, Subject, SubjectFailed, refused
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function import json_text
from onnxlet.function.errors import InvalidRows, OnnxletError, WrongUse
from onnxlet.function.inputs.columns import Column

ROWS = 200  # of one request
LARGEST = 2**28  # bytes of an answer
PART = 2**16  # bytes that are read before the size is looked at
SAME = "Have it answer the same outputs to every request."
AGAIN, PAUSE = 3, 2.0  # times that a busy server is asked again, after so many seconds
ADDRESSES = (
    "Give the address that predicts: …/models/NAME/predict, …/v2/models/NAME/infer, "
    "…/v1/models/NAME:predict or …/invocations; or only http://HOST:PORT."
)


@dataclass(frozen=True)
class Http:
    """One server, and how it is asked."""

    address: SplitResult
    seconds: float  # that an answer may take, from the connection to the last byte
    key: str | None

    def ask(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """The status and the body of an answer; of a GET where nothing is sent.

        Raises SubjectFailed where none comes in time, or it leads elsewhere.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        sent = None if body is None else json_text.dumps(body)
        kind = HTTPSConnection if self.address.scheme == "https" else HTTPConnection
        connection = kind(str(self.address.hostname), self.address.port, timeout=self.seconds)
        connection.auto_open = 0  # once closed it stays so
        done, sockets = Future[tuple[int, bytes]](), list[socket.socket]()
        over = threading.Event()

        def exchange() -> None:
            try:
                connection.connect()
                sockets.append(connection.sock)  # which the connection lets go of, read or not
                if over.is_set():  # connected too late: nobody is sent the key any more
                    connection.close()
                    return
                connection.request("GET" if sent is None else "POST", path, sent, headers)
                with connection.getresponse() as answer:
                    done.set_result((answer.status, self._read(answer)))
            except Exception as error:  # that this thread's starter raises
                done.set_exception(error)

        # A socket's own time begins again with each byte of a head, so that the whole is awaited.
        threading.Thread(target=exchange, daemon=True).start()
        try:
            return done.result(self.seconds)
        except TimeoutError as error:
            hint = "Give it longer with --seconds, or ask a faster one."
            raise self.failed(f"gave no whole answer within {self.seconds:g} s", hint) from error
        except (OSError, HTTPException, ValueError) as error:
            hint = "Is it up, and is this its address?"
            raise self.failed(f"can't be asked: {shortened(error)}", hint) from error
        finally:
            over.set()
            with suppress(OSError):  # which ends the thread, too
                for each in sockets:
                    each.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _read(self, answer: HTTPResponse) -> bytes:
        if answer.status // 100 == 3:
            hint = "Give the address that it leads to, if you trust it."
            raise self.failed(f"leads elsewhere (status {answer.status})", hint)
        content = bytearray()
        while part := answer.read1(PART):
            content += part
            if len(content) > LARGEST:
                raise self.failed(
                    f"answers more than {LARGEST >> 20} MiB", "Is it the right address?"
                )
        return bytes(content)

    def failed(self, what: str, hint: str) -> SubjectFailed:
        """Why the endpoint can't be compared; its address has neither key nor query."""
        return SubjectFailed(f"{self.name} {what}", hint)

    @property
    def name(self) -> str:
        """The address as messages have it."""
        return f"{self.address.scheme}://{self.address.netloc}{self.address.path}"


@dataclass(frozen=True)
class Endpoint(Subject):
    """A server that is asked with one form of bodies."""

    name: str
    http: Http
    form: Form
    about: Mapping[str, Any]  # what a server of this project says of its model
    # The way of writing rows that it has answered first.
    way: list[int] = field(default_factory=list)

    @property
    def single(self) -> bool:  # type: ignore[override] # known from its metadata
        """Whether its tensors are float32."""
        return self.form.single

    def unasked(self, row: Cells) -> str:
        """JSON has no infinity; a tensor of text or of whole numbers holds no gap."""
        if any(type(cell) is float and np.isinf(cell) for cell in row):
            return "an infinity has no form in JSON"
        return self.form.unasked(row)

    def limited(self, columns: Sequence[Column]) -> list[Column]:
        """Within the bounds of its certificate, where it has one."""
        return certified(columns, self.about)

    def outputs(self, rows: Sequence[Cells]) -> Mapping[str, Any]:
        """What it answers, in as many requests as it takes."""
        parts = [self._part(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
        return self._joined(parts)

    def _joined(self, parts: Sequence[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
        if any(part.keys() != parts[0].keys() for part in parts):
            raise self.http.failed("answers some rows with other outputs than others", SAME)
        return {name: [each for part in parts for each in part[name]] for name in parts[0]}

    def _part(self, rows: Sequence[Cells]) -> Mapping[str, list[Any]]:
        ways = range(len(self.form.ways))
        for way in self.way or ways:
            try:
                found = self._asked(rows, self.form.ways[way](rows))
            except InvalidRows:
                if self.way or way == ways[-1]:
                    raise
            else:
                self.way[:] = [way]
                return found
        raise AssertionError("a form has a way")

    def _asked(self, rows: Sequence[Cells], body: Any) -> Mapping[str, list[Any]]:
        for _ in range(AGAIN):
            status, answer = self.http.ask(self.form.path, body)
            if status not in (429, 503):
                break
            time.sleep(PAUSE)
        if status == 413 and len(rows) > 1:
            halves = [self._part(rows[: len(rows) // 2]), self._part(rows[len(rows) // 2 :])]
            return self._joined(halves)
        if status in (400, 413, 422, 500):
            raise refused(f"status {status}: {_text(answer)}")
        _check(self.http, status)
        found = lists_by_output(_json(self.http, answer), len(rows))
        if not found:
            text = f"answers {len(rows)} rows with something else: {_text(answer)}"
            raise self.http.failed(text, "It has to answer one entry for each row, in their order.")
        return found


def endpoint(address: str, given: Given, seconds: float, key: str | None) -> Endpoint:
    """An endpoint by its address, whose path says which protocol it speaks, or it is asked.

    Raises WrongUse where it is no address of one, SubjectFailed where it can't be asked.
    """
    try:
        parts = urlsplit(address)
        known = parts.hostname and (parts.port or True)
    except ValueError:
        known = False
    if not known or parts.username is not None or (key and not re.fullmatch(r"[\x21-\x7e]+", key)):
        hint = "A key is one word, and goes with --key or ONNXLET_PROVE_KEY, not into the address."
        raise WrongUse("SUBJECT: expected http://HOST:PORT/…, without a name or password", hint)
    http = Http(parts, seconds, key)
    path, query = parts.path.rstrip("/"), f"?{parts.query}" * bool(parts.query)
    path = path or _asked_path(http)
    form = form_of(path, query, given, lambda at: _get(http, at))
    if form is None:
        raise WrongUse(f"SUBJECT: no protocol is known by the path of {http.name}", ADDRESSES)
    return Endpoint(http.name, http, form, _about(http, path))


def _asked_path(http: Http) -> str:
    """The path of the only model that a server has, in the protocol that it answers."""
    status, answer = http.ask("/models")
    if status in (401, 403):
        _check(http, status)
    if status == 200:
        listed = _json(http, answer)
        models = listed.get("models", []) if isinstance(listed, Mapping) else listed
        names = [str(m["name"]) for m in models if isinstance(m, Mapping) and "name" in m]
        if len(names) == 1:
            return f"/models/{names[0]}/predict"
        many = f"it serves {printable(', '.join(names[:20])) or 'no model'}"
        raise WrongUse(f"SUBJECT: {http.name}: {many}", "Name one: …/models/NAME/predict.")
    return "/invocations" if http.ask("/ping")[0] == 200 else ""


def _about(http: Http, path: str) -> Mapping[str, Any]:
    """What a server of this project says of the model; empty of others."""
    found = re.match(r"(.*?)(?:/v[12])?(/models/[^/:]+)", path)
    with suppress(SubjectFailed):
        about = _get(http, found[1] + found[2]) if found else {}
        return about if isinstance(about, Mapping) else {}
    return {}


def _get(http: Http, path: str) -> Any:
    status, answer = http.ask(path)
    _check(http, status)
    return _json(http, answer)


def _check(http: Http, status: int) -> None:
    if status in (401, 403):
        hint = "Give it with --key, or as ONNXLET_PROVE_KEY in the environment."
        raise http.failed(f"wants a key (status {status})", hint)
    if status in (404, 405):
        raise http.failed(f"has nothing there (status {status})", ADDRESSES)
    if status != 200:
        raise http.failed(f"answers with status {status}", "Look at its log, and try again.")


def _json(http: Http, answer: bytes) -> Any:
    try:
        return json_text.loads(answer)
    except OnnxletError as error:
        what = "HTML" if answer.lstrip()[:1] == b"<" else "something else"
        raise http.failed(f"answers {what} where JSON is expected", ADDRESSES) from error


def _text(answer: bytes) -> str:
    return shortened(ValueError(answer[:1000].decode(errors="replace")))
