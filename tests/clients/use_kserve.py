"""KServe's InferenceRESTClient."""

from __future__ import annotations

import asyncio

from kserve import InferenceRESTClient, RESTConfig

from tests.clients.given import ADDRESS

URL = f"http://{ADDRESS}"


def test_health() -> None:
    async def ask() -> None:
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            assert await client.is_server_live(URL)
            assert await client.is_server_ready(URL)

    asyncio.run(ask())
