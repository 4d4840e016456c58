"""API keys: whose key a request has, and what that may do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from onnxlet.folders import typed
from onnxlet.function.errors import Forbidden, Unauthorized
from onnxlet.function.hashes import sha256
from onnxlet.function.http import sites

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service
    from onnxlet.function.settings import Settings

HINT = "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."


class Keys:
    """The keys of one server, by their SHA-256 digests; of none, every request is let in."""

    def __init__(self, settings: Settings) -> None:
        known = {**settings.reader_keys, **settings.api_keys, **settings.own_keys}
        # A digest is looked for as a whole: how long that takes gives nothing of the key away.
        self._names = {digest: name for name, digest in reversed(known.items())}
        self._needed = bool(settings.api_keys)  # for predictions
        self._only_read = settings.reader_keys.keys() - settings.own_keys.keys()

    def __bool__(self) -> bool:
        return bool(self._names)

    def let_in(self, environ: Mapping[str, Any], notes: dict[str, Any]) -> None:
        """Note the name of the key that a request has, as `key`, where it has one.

        Raises Unauthorized where it needs one that is known here, Forbidden where that only reads.
        """
        sent = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
        if not self._needed:
            with suppress(Unauthorized):
                if any(sent):
                    notes["key"] = key_name(*sent, self._names)
            return
        name = notes["key"] = key_name(*sent, self._names)
        if name in self._only_read and environ["REQUEST_METHOD"] not in sites.READS:
            raise Forbidden(f"key '{name}' only reads", "Send one of ONNXLET_API_KEYS.")


def key_name(authorization: str, api_key: str, names: Mapping[bytes, str]) -> str:
    """The name of the key that a request has, in Authorization or X-API-Key.

    The names are by the keys' SHA-256 digests. Raises Unauthorized where there is no key, or it is
    not one of these.
    """
    key = api_key
    if authorization:
        scheme, _, bearer = authorization.partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else api_key
    if not key:
        raise Unauthorized("this endpoint needs an API key", HINT)
    for sent in _as_sent(key):
        if (name := names.get(sha256(sent).digest())) is not None:
            return name
    raise Unauthorized("the API key is not known here", HINT)


def check_reader(service: Service, key: str) -> None:
    """Raise Unauthorized or Forbidden where a key, "" of nobody, may not read figures on rows."""
    if service.may_read(key):
        return
    if not service.settings.reader_keys:
        raise Forbidden(
            "figures on rows are for keys for reading, and none is set",
            f"Make one beside the models: {typed('edge', 'key NAME --reads')}; or set "
            "ONNXLET_READER_KEYS=NAME:$(printf %s KEY | sha256sum | cut -c 1-64); and send it.",
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
