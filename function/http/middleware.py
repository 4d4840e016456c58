"""What every request passes before and after Flask: limits, its key, its headers, its log line.

It is WSGI middleware, since Flask's own hooks cost as much as a small model's whole prediction.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from onnxlet.function import deadline, request_log
from onnxlet.function.errors import (
    CAME,
    LATER,
    SHED,
    Forbidden,
    Overloaded,
    RequestError,
    Unauthorized,
)
from onnxlet.function.http import sites
from onnxlet.function.messages import Reply
from onnxlet.function.serving.service import Service

NOTES = "onnxlet.notes"  # in the environ: further members of this request's line in the log

HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
LOGGED = 200  # characters of the path: clients choose it, and a disk is finite
FRESH = ("Cache-Control", "no-store")  # unless an answer says otherwise: rows are private

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]


class Middleware:
    """A WSGI app around another, which answers the requests that are let in.

    The service has the limits, the keys, whose pages may call and by which names; its routes say
    which paths need no key and are never shed.
    """

    def __init__(
        self,
        app: WSGI,
        service: Service,
        refuse: Callable[[RequestError, Environ], WSGI],
        log: request_log.Log = request_log.write,
    ) -> None:
        settings = service.settings
        self._app = app
        self._in_flight = service.in_flight
        self._open_paths = frozenset(route.rule for route in service.routes if route.open)
        self._never_shed = frozenset(r.rule for r in service.routes if r.open or r.urgent)
        self._settings = settings
        self._keys = {**settings.reader_keys, **settings.api_keys, **settings.own_keys}
        self._only_read = settings.reader_keys.keys() - settings.own_keys.keys()
        self._origins = settings.cors_origins
        self._hosts = settings.hosts
        self._host = ""  # that was let in last: most requests have the same one
        self._seconds = settings.max_seconds
        self._refuse = refuse
        self._meter = service.meter
        self._log = log

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, let in or not, and write its line."""
        start = time.perf_counter()
        came = environ.get(CAME, start)
        # Lambda's own id, so that its log and ours name a request alike.
        invocation = getattr(environ.get("serverless.context"), "aws_request_id", "")
        request_id = request_log.request_id(environ.get("HTTP_X_REQUEST_ID") or invocation)
        notes: dict[str, Any] = {"request_id": request_id}
        environ[NOTES] = notes
        status = ""

        def started(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal status
            status = line
            # Two are media type and length: the usual answer is not searched.
            if len(headers) <= 2 or all(name != FRESH[0] for name, _ in headers):
                headers.append(FRESH)
            headers += HEADERS
            headers.append(("X-Request-Id", request_id))
            if self._origins:
                sites.add_cors_headers(headers, environ.get("HTTP_ORIGIN", ""), self._origins)
            return start_response(line, headers, *more)

        deadline.begin(came, self._seconds)
        within = self._in_flight.enter() and start - came <= self._seconds
        try:
            body = self._let_in(environ, notes, within)(environ, started)
        finally:
            self._in_flight.leave()
            deadline.end()
        ms = round((time.perf_counter() - came) * 1e3, 3)
        if LATER in environ:
            environ[LATER].append(partial(self._note, environ, status, ms))
        else:
            self._note(environ, status, ms)
        return body

    def _note(self, environ: Environ, status: str, ms: float) -> None:
        """Write a request's line, and count it."""
        entry = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"][:LOGGED],
            "status": int(status[:3] or 500),
            "ms": ms,
            **environ[NOTES],
        }
        self._log(entry)
        if self._meter is not None:
            self._meter.count(entry)

    def _let_in(self, environ: Environ, notes: dict[str, Any], within: bool) -> WSGI:
        """The app, or a WSGI app that answers instead of it."""
        if "HTTP_TRACEPARENT" in environ:
            notes |= request_log.trace(environ["HTTP_TRACEPARENT"])
        if self._origins and sites.is_preflight(environ):
            return sites.preflight
        path = environ["PATH_INFO"]
        try:
            if "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ:
                sites.check_page(environ, self._origins)
            if self._hosts is not None and environ.get("HTTP_HOST", "") != self._host:
                self._host = sites.check_host(environ.get("HTTP_HOST", ""), self._hosts)
            if not (within and SHED not in environ) and path not in self._never_shed:
                raise Overloaded("more requests are in flight than are taken at once")
            if self._keys and path not in self._open_paths:
                self._identify(environ, notes)
        except RequestError as error:
            return self._refuse(error, environ)
        return self._app

    def _identify(self, environ: Environ, notes: dict[str, Any]) -> None:
        sent = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
        if not self._settings.api_keys:  # predictions need no key
            with suppress(Unauthorized):
                if any(sent):
                    notes["key"] = key_name(*sent, self._keys)
            return
        name = notes["key"] = key_name(*sent, self._keys)
        if name in self._only_read and environ["REQUEST_METHOD"] not in sites.READS:
            raise Forbidden(f"key '{name}' only reads", "Send one of ONNXLET_API_KEYS.")


# Bytes; smaller answers are not compressed. Ten packets of 1,460 bytes hold that many, and a new
# connection sends ten at once (RFC 6928): fewer would arrive no sooner.
LARGE_ANSWER = 14_600

Answer = Callable[..., Reply]  # makes the reply from the environ and the rule's variables


HINT = "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."


def key_name(authorization: str, api_key: str, known_keys: Mapping[str, bytes]) -> str:
    """The name of the key that a request has, in Authorization or X-API-Key.

    Of each known key there is a SHA-256 digest. Raises Unauthorized where there is no key, or it is
    not one of these.
    """
    key = api_key
    if authorization:
        scheme, _, bearer = authorization.partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else api_key
    if not key:
        raise Unauthorized("this endpoint needs an API key", HINT)
    fitting = ""
    for sent in _as_sent(key):
        digest = hashlib.sha256(sent).digest()
        # Every key is compared, whichever fits: the time taken gives nothing away.
        for name, known in known_keys.items():
            if hmac.compare_digest(digest, known):
                fitting = fitting or name
    if not fitting:
        raise Unauthorized("the API key is not known here", HINT)
    return fitting


def check_reader(service: Service, key: str) -> None:
    """Raise Unauthorized or Forbidden where a key, "" of nobody, may not read figures on rows."""
    if service.may_read(key):
        return
    if not service.settings.reader_keys:
        raise Forbidden(
            "figures on rows are for keys for reading, and none is set",
            "Set ONNXLET_READER_KEYS=NAME:$(printf %s KEY | sha256sum | cut -c 1-64), and send it.",
        )
    if not key:
        raise Unauthorized("figures on rows need a key for reading", HINT)
    raise Forbidden(
        f"figures on rows are for keys for reading, and '{key}' is one for predictions",
        "Send one of ONNXLET_READER_KEYS.",
    )


def _as_sent(key: str) -> list[bytes]:
    """The bytes that a key may have been: headers are Latin-1 in WSGI, UTF-8 in events."""
    if key.isascii():
        return [key.encode()]
    return [key.encode("utf-8", "surrogateescape"), key.encode("latin-1", "backslashreplace")]
