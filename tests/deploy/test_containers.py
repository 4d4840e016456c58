"""docs/how-to/containers.md: AWS' own descriptions of its calls take its files."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.deploy.emulator import DEPLOY
from tests.project.containers_doc import task_and_model

pytestmark = pytest.mark.deploy

CHECK = """
import json, sys
import botocore.session, botocore.validate
service, operation = sys.argv[1:]
shape = botocore.session.Session().get_service_model(service).operation_model(operation).input_shape
print(botocore.validate.ParamValidator().validate(json.load(sys.stdin), shape).generate_report())
"""
CALLS = (("ecs", "RegisterTaskDefinition"), ("sagemaker", "CreateModel"))


def faults(told: dict[str, Any], service: str, operation: str) -> str:
    return subprocess.check_output(
        [DEPLOY, "-c", CHECK, service, operation], input=json.dumps(told), text=True, timeout=60
    ).strip()


def test_the_files_are_what_aws_takes() -> None:
    for told, call in zip(task_and_model(), CALLS, strict=True):
        assert faults(told, *call) == ""
        assert "Unknown parameter" in faults({**told, "other": 1}, *call)
