"""API keys: compared by digest, in constant time, several at once so that they can be rotated."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from onnxlet.function.errors import Forbidden, Unauthorized
from onnxlet.function.serving.service import Service

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
