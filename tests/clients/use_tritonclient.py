"""tritonclient[http]."""

from __future__ import annotations

import tritonclient.http

from tests.clients.given import ADDRESS


def test_health() -> None:
    with tritonclient.http.InferenceServerClient(ADDRESS) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
