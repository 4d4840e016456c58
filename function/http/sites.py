"""Refuses requests from other sites' pages, and requests for hosts that this server is not.

Programs send neither `Origin` nor `Sec-Fetch-Site`; browsers do, and no page can change what they
say: https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/. A page
whose name was pointed at this machine after it had come (DNS rebinding) is of this very origin for
its browser, and its name in `Host` is all that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Set
from typing import Any

from onnxlet.function.errors import Forbidden

Environ = dict[str, Any]

HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
# No name of a domain ends in a number (https://url.spec.whatwg.org/#ends-in-a-number-checker), so
# that what a browser takes for an address is one, and the page came from there.
ADDRESS = re.compile(r"\[[^\]]*:[^\]]*\]|[0-9.]+")
LOCAL = "localhost"  # with all below it: RFC 6761
READS = ("GET", "HEAD")


def is_of_a_browser(environ: Environ) -> bool:
    """Whether the request says which page it comes from, as browsers do and programs do not."""
    return "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ


def check_page(environ: Environ, allowed: Set[str]) -> None:
    """Let a browser's request pass where it comes from this server's own page or an allowed origin.

    A link on another site may open a page here: that site can neither read it nor send data so.
    Raises Forbidden where it is another site's.
    """
    origin, site = environ.get("HTTP_ORIGIN", ""), environ.get("HTTP_SEC_FETCH_SITE", "")
    if site in ("same-origin", "none") or origin in allowed:
        return
    if origin:
        if _is_own(origin, environ):
            return
    elif site != "cross-site":
        return
    elif environ.get("HTTP_SEC_FETCH_MODE") == "navigate" and environ["REQUEST_METHOD"] in READS:
        return  # it follows a link
    whose = f"origin '{origin[:100]}'" if origin else "another site"
    raise Forbidden(
        f"a page of {whose} asks, and is not allowed to",
        "ONNXLET_CORS_ORIGINS names the origins whose pages may ask. A proxy before this server "
        "has to pass Host on unchanged.",
    )


def _is_own(origin: str, environ: Environ) -> bool:
    """Whether the page is this server's own.

    A proxy may have ended TLS, so that an `https` page's request comes here without. A request that
    comes here by TLS is never an `http` page's.
    """
    scheme, _, host = origin.partition("://")
    expected = ("https",) if environ.get("wsgi.url_scheme") == "https" else ("https", "http")
    own = _without_port(environ.get("HTTP_HOST", ""))
    return scheme in expected and own not in ("", "null") and _without_port(host) == own


def _without_port(host: str) -> str:
    """A host without its scheme's own port, which browsers leave out of an origin."""
    return host.lower().removesuffix(":443").removesuffix(":80")


def check_host(host: str, names: Set[str]) -> str:
    """Let a request pass that asks by one of these names, by an address, or by localhost.

    Programs may have no host. The names are further ones, in lower case and without ports. Returns
    the host, unchanged; raises Forbidden where it asks by another name.
    """
    found = HOST.fullmatch(host.lower())
    name = found[1].removesuffix(".") if found else host
    known = name in ("", LOCAL) or name in names or name.endswith(f".{LOCAL}")
    if known or ADDRESS.fullmatch(name):
        return host
    raise Forbidden(
        f"'Host': expected localhost or an address, got '{host[:100]}'",
        "ONNXLET_HOSTS names the others that this server is asked by.",
    )


Headers = list[tuple[str, str]]

EXPOSED = (
    "Access-Control-Expose-Headers",
    "X-Request-Id, Retry-After, Inference-Header-Content-Length",
)
PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, X-API-Key, Content-Type, Content-Encoding, X-Request-Id, Traceparent, "
        "Inference-Header-Content-Length",
    ),
    ("Access-Control-Max-Age", "600"),
]


def add_cors_headers(headers: Headers, origin: str, allowed: frozenset[str]) -> None:
    """Add the CORS headers of an answer to a request from `origin`, where that is allowed.

    All that an answer varies by goes into one header: of two of a name, Lambda's senders lose one.
    """
    varies = [value for name, value in headers if name == "Vary"]
    headers[:] = [header for header in headers if header[0] != "Vary"]
    headers.append(("Vary", ", ".join([*varies, "Origin"])))
    if origin in allowed:
        headers += [("Access-Control-Allow-Origin", origin), EXPOSED]


def is_preflight(environ: dict[str, Any]) -> bool:
    """Whether a browser asks if a page may send the request that it describes."""
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def preflight(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI app that answers that question; `add_cors_headers` says for which origin."""
    start_response("204 No Content", list(PREFLIGHT))
    return []
