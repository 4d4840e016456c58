"""API keys: compared by digest, in constant time, several at once so that they can be rotated."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol

from function.errors import Unauthorized

HINT = "Send the key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."


class Headers(Protocol):
    """Header look-up without regard to case, as Werkzeug's headers do it."""

    def get(self, key: str, default: str, /) -> str:
        """The header's value, or the default."""


def key_name(headers: Headers, api_keys: Mapping[str, bytes]) -> str:
    """The name of the key that a request bears.

    Args:
        headers: of the request, looked up without regard to case.
        api_keys: SHA-256 digest of each accepted key, by name.

    Raises:
        Unauthorized: there is no key, or it is not one of these.
    """
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    key = bearer.strip() if scheme.lower() == "bearer" else headers.get("X-API-Key", "")
    if not key:
        raise Unauthorized("this endpoint needs an API key", HINT)
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    # Every key is compared, whichever fits: the time tells nothing.
    fitting = [name for name, known in api_keys.items() if hmac.compare_digest(digest, known)]
    if not fitting:
        raise Unauthorized("the API key is not known here", HINT)
    return fitting[0]
