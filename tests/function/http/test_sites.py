"""Pages of other sites may not ask, nor may anybody by a name that is not this server's."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.service.serve import for_address
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.errors import Forbidden
from onnxlet.function.http import sites
from onnxlet.function.settings import Settings
from tests.conftest import Answer, Client, app_of, start_server, stop_server, through_events
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event
from tests.function.every_protocol import ERRORS, request
from tests.function.serving.test_predict import SHOP

PATH = "/models/shop/predict"
ORIGIN = "https://app.example"
HERE = "models.example"
FOREIGN: dict[str, dict[str, str]] = {
    "another origin": {"Origin": "https://evil.example"},
    "its own name as a part": {"Origin": f"https://{HERE}.evil.example"},
    "before its own name": {"Origin": f"https://evil-{HERE}"},
    "another port": {"Origin": f"https://{HERE}:8443"},
    "no scheme": {"Origin": HERE},
    "another scheme": {"Origin": f"chrome-extension://{HERE}"},
    "a file, or a frame in a sandbox": {"Origin": "null"},
    "none but its scheme": {"Origin": "https://"},
    "two origins": {"Origin": f"https://{HERE},https://evil.example"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a script's tag": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "a form": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Origin": "https://evil.example",
    },
    "a neighbour": {"Sec-Fetch-Site": "same-site", "Origin": f"https://evil.{HERE}"},
}
OWN: dict[str, dict[str, str]] = {
    "no browser": {},
    "its own page": {"Origin": f"https://{HERE}", "Sec-Fetch-Site": "same-origin"},
    "its own page in an old browser": {"Origin": f"https://{HERE}"},
    "its own page behind a proxy of another name": {
        "Origin": "https://public.example",
        "Sec-Fetch-Site": "same-origin",
    },
    "its own page in a browser that sends no origin": {"Sec-Fetch-Site": "same-origin"},
    "what was typed": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    "the port that is usual": {"Origin": f"https://{HERE}:443"},
    "a neighbour that sends no origin": {"Sec-Fetch-Site": "same-site"},
}


@pytest.fixture(scope="module")
def app(models: Path) -> Any:
    return app_of(models, default_model="shop")


def post(app: Any, headers: Mapping[str, str], path: str = PATH, **more: Any) -> Any:
    told = {"Host": HERE, **headers}
    return app.test_client().post(path, json={"instances": [SHOP]}, headers=told, **more)


@pytest.mark.parametrize("kind", FOREIGN)
def test_pages_of_other_sites_are_refused(app: Any, kind: str) -> None:
    answer = post(app, FOREIGN[kind])

    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"
    assert answer.json["title"] == "Forbidden"
    assert "ONNXLET_CORS_ORIGINS" in answer.json["hint"]
    assert not any(name.startswith("Access-Control-") for name, _ in answer.headers)


@pytest.mark.parametrize("kind", OWN)
def test_its_own_page_and_programs_are_answered(app: Any, kind: str) -> None:
    assert post(app, OWN[kind]).status_code == 200


@pytest.mark.parametrize("path", ["/", "/models", "/openapi.json", "/v2/health/live", "/ping"])
def test_links_open_pages_and_nothing_else_of_another_site_does(app: Any, path: str) -> None:
    client = app.test_client()
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get(path, headers=linked).status_code == 200
    assert client.head(path, headers=linked).status_code == 200
    for headers in FOREIGN.values():
        if "Origin" in headers or headers != linked:
            assert client.get(path, headers=headers).status_code == 403
    assert client.options(path, headers=linked).status_code == 403


@pytest.mark.parametrize("protocol", ERRORS)
def test_every_protocol_refuses_in_its_own_form(app: Any, protocol: str) -> None:
    path, body, kind = request(protocol, "shop", SHOP)
    content = {"data": body} if isinstance(body, bytes) else {"json": body}
    answer = app.test_client().post(
        path, **content, content_type=kind, headers=FOREIGN["another origin"]
    )

    assert answer.status_code == 403
    assert "https://evil.example" in answer.json[ERRORS[protocol]]
    if protocol == "mlflow":
        assert answer.json["error_code"] == "PERMISSION_DENIED"


def test_a_key_opens_nothing_to_another_site(models: Path) -> None:
    import hashlib

    keys = {"ci": hashlib.sha256(b"secret").digest()}
    app = app_of(models, default_model="shop", api_keys=keys)

    assert post(app, {**FOREIGN["another origin"], "X-API-Key": "secret"}).status_code == 403
    assert post(app, FOREIGN["another origin"]).status_code == 403
    assert post(app, {"X-API-Key": "secret"}).status_code == 200


def test_an_origin_that_is_let_in(models: Path) -> None:
    app = app_of(models, default_model="shop", cors_origins=frozenset({ORIGIN}))

    page = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert post(app, page).headers["Access-Control-Allow-Origin"] == ORIGIN
    assert post(app, page).status_code == 200
    assert post(app, FOREIGN["another origin"]).status_code == 403


def test_where_tls_comes_this_far_a_page_without_it_is_another(app: Any) -> None:
    own = {"Origin": f"http://{HERE}"}
    with_tls = {"wsgi.url_scheme": "https"}
    assert post(app, own).status_code == 200
    assert post(app, own, environ_overrides=with_tls).status_code == 403
    assert post(app, OWN["its own page"], environ_overrides=with_tls).status_code == 200


def test_refusals_come_before_the_body_is_read_and_are_logged(models: Path) -> None:
    lines: list[dict[str, Any]] = []
    app = create_app(models, settings=Settings(models), log=lines.append)

    answer = app.test_client().post(PATH, data=b"{", headers=FOREIGN["another origin"])
    assert answer.status_code == 403
    assert (lines[0]["status"], lines[0]["error"]) == (403, "Forbidden")
    assert "evil" not in json.dumps(lines)


@pytest.mark.parametrize("protocol", ["native", "v1", "v2", "mlflow"])
def test_what_has_no_type_is_json_from_programs_only(app: Any, protocol: str) -> None:
    """A page may send it without asking first; tritonclient sends none either."""
    path, body, _ = request(protocol, "shop", SHOP)
    client = app.test_client()

    def status(headers: Mapping[str, str], **more: Any) -> int:
        told = {"Host": HERE, **headers}
        return int(client.post(path, data=json.dumps(body), headers=told, **more).status_code)

    assert status({}) == 200
    assert status(OWN["its own page"]) == 415
    assert status(OWN["a neighbour that sends no origin"]) == 415
    assert status(OWN["its own page"], content_type="application/json") == 200


def test_a_page_may_ask_for_an_explanation_by_its_type_only(app: Any) -> None:
    answer = app.test_client().post(
        "/models/shop/explain",
        data=json.dumps({"instances": [SHOP]}),
        headers={"Host": HERE, **OWN["its own page"]},
    )
    assert answer.status_code == 415


MAKERS = {"REST API": make_v1_event, "HTTP API": make_v2_event, "balancer": make_alb_event}


@pytest.mark.parametrize("sender", MAKERS)
def test_on_lambda_too(app: Any, sender: str) -> None:
    """API Gateway ends TLS, and hands `Host` on."""
    client = Client(through_events(lambda event: respond(app, event, CONTEXT), MAKERS[sender]))

    def status(**headers: str) -> int:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(PATH, {"instances": [SHOP]}, told).status

    host = "abc.execute-api.eu-west-1.amazonaws.com"
    assert status(host=host) == 200
    assert status(host=host, origin=f"https://{host}") == 200
    assert status(host=host, origin="https://evil.example") == 403
    assert status(host=host, sec_fetch_site="cross-site") == 403


KNOWN = [
    "",
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "app.localhost:80",
    "127.0.0.1",
    "127.0.0.1:8080",
    "192.168.1.5:8080",
    "[::1]",
    "[::1]:8080",
    "[fe80::1%eth0]:8080",
    HERE,
    f"{HERE.upper()}:443",
]
UNKNOWN = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "notlocalhost",
    f"{HERE}.evil.example",
    f"evil.{HERE}",
    "[evil.example]",
    "0x7f.1.evil",
    "::1.evil",
    "localhost:80:evil",
]


@pytest.mark.parametrize("host", KNOWN)
def test_names_that_are_known(host: str) -> None:
    sites.check_host(host, {HERE})


@pytest.mark.parametrize("host", UNKNOWN)
def test_names_that_are_not(host: str) -> None:
    with pytest.raises(Forbidden, match="expected localhost or an address") as error:
        sites.check_host(host, {HERE})
    assert "ONNXLET_HOSTS" in error.value.hint


def test_which_servers_check_the_name(tmp_path: Path) -> None:
    any_name, one = Settings(tmp_path), Settings(tmp_path, hosts=frozenset({HERE}))
    for address in ("127.0.0.1", "127.0.1.1", "::1"):
        assert for_address(address, "Pi", any_name).hosts == frozenset({"pi"})
        assert for_address(address, address, one).hosts == frozenset({HERE, address})
    for address in ("0.0.0.0", "::", "192.168.1.5"):
        assert for_address(address, address, any_name).hosts is None
        assert for_address(address, "pi.lan", one).hosts == frozenset({HERE, "pi.lan"})


def test_whose_server_it_is(tmp_path: Path) -> None:
    """Only this machine's user asks on loopback, unless keys or a proxy's name let others in."""
    key = {"me": bytes(32)}
    bare, reading = Settings(tmp_path), Settings(tmp_path, reader_keys=key)
    for others in (reading, Settings(tmp_path, api_keys=key)):
        assert not for_address("127.0.0.1", "127.0.0.1", others).owned
    named = Settings(tmp_path, hosts=frozenset({"models.example"}))
    assert not for_address("127.0.0.1", "127.0.0.1", named).owned
    for address in ("0.0.0.0", "::", "192.168.1.5"):
        assert not for_address(address, address, bare).owned
    for address in ("127.0.0.1", "127.0.1.1", "::1"):
        assert for_address(address, "localhost", bare).owned


def ask(port: int, method: str, path: str, host: str, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = json.dumps({"instances": [SHOP]}) if method == "POST" else None
        told = {"Content-Type": "application/json", "Host": host, **headers}
        connection.request(method, path, body, told)
        got = connection.getresponse()
        return Answer(got.status, dict(got.getheaders()), got.read())
    finally:
        connection.close()


def test_a_name_pointed_at_this_machine_reads_nothing(socket_port: int) -> None:
    """A page of evil.example is of its own origin there, as its browser sees it."""
    evil = f"evil.example:{socket_port}"
    for method, path in (
        ("POST", PATH),
        ("GET", "/models"),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("POST", "/truth"),
        ("GET", "/v2/health/live"),
    ):
        answer = ask(socket_port, method, path, evil, Origin=f"http://{evil}")
        assert answer.status == 403, path
        assert b"elsewhere" not in answer.body
        assert b"'evil.example" in answer.body
    for host in (f"127.0.0.1:{socket_port}", f"localhost:{socket_port}", f"[::1]:{socket_port}"):
        assert ask(socket_port, "POST", PATH, host, Origin=f"http://{host}").status == 200
    with socket.create_connection(("127.0.0.1", socket_port), timeout=20) as connection:
        connection.sendall(b"GET /models HTTP/1.0\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.fixture
def proxied(models: Path, tmp_path: Path) -> Iterator[int]:
    """The port of a server on loopback that a proxy hands requests on to."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ONNXLET_")}
    server = start_server(models, {**clean, "ONNXLET_HOSTS": HERE}, tmp_path / "log")
    yield server.port
    assert stop_server(server) == 0


def test_a_name_that_is_set_is_answered(proxied: int) -> None:
    assert ask(proxied, "POST", PATH, HERE, Origin=f"https://{HERE}").status == 200
    assert ask(proxied, "POST", PATH, HERE, Origin="https://evil.example").status == 403
    assert ask(proxied, "GET", "/models", "evil.example").status == 403
    assert ask(proxied, "GET", "/models", "127.0.0.1").status == 200
