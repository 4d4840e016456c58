"""The suites that every transport passes, over AWS's runtime: every protocol, kind and oddity."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Client
from tests.function import test_handler, test_on_error, test_refusals
from tests.function.http import test_page, test_shelter
from tests.function.openapi import test_openapi
from tests.function.protocols import test_invocations, test_protocols, test_v1, test_v2
from tests.function.serving import test_predict

pytestmark = pytest.mark.lambda_runtime

OVER_HTTP = (
    test_invocations,
    test_on_error,
    test_openapi,
    test_page,
    test_predict,
    test_protocols,
    test_refusals,
    test_shelter,
    test_v1,
    test_v2,
)


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    form: dict[str, Any] = client.get("/openapi.json").json()
    return form


def take_over(suite: ModuleType, fixture: str, without: set[str]) -> None:
    """Have this module collect a suite's tests that use a fixture, which is another one here."""
    for name, test in list(vars(suite).items()):
        needed = inspect.signature(test).parameters if name.startswith("test_") else {}
        if fixture in needed and not without & {*needed, name}:
            globals()[f"{name}_of_{suite.__name__.rpartition('test_')[2]}"] = test


for suite in OVER_HTTP:
    take_over(suite, "client", set())
# Only in its own process: where it reads the log or a file, makes up the context, or raises.
BY_ITSELF = {
    "capfd",
    "tmp_path",
    "test_the_whole_answer_of_an_http_api",
    "test_a_batch_whose_answers_can_go_nowhere_is_raised_for",
    "test_objects_can_go_nowhere_without_the_settings",
}
take_over(test_handler, "handler", BY_ITSELF)
