"""Documents on containers: Kubernetes' and KServe's own classes take their objects."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.conftest import ROOT, ran
from tests.project.containers_doc import objects

pytestmark = pytest.mark.clients


def faults(told: list[dict[str, Any]]) -> list[list[str]]:
    done = ran(
        [ROOT / ".venv-clients-kserve/bin/python", "tests/clients/kubernetes_objects.py"],
        input=json.dumps(told),
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_the_objects_are_what_their_classes_take() -> None:
    assert faults(objects()) == [[]] * 5


def test_faults_would_be_found() -> None:
    wrong = copy.deepcopy(objects())
    deployment, service, runtime, inference, cloud_run = wrong
    cloud_run["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = []
    deployment["spec"]["template"]["spec"]["containers"][0]["liveProbe"] = {}
    service["spec"]["ports"][0].pop("port")
    runtime["spec"]["protocolVersion"] = "v2"
    inference["spec"]["predictor"]["model"]["storageUri"] = 7
    assert [bool(each) for each in faults(wrong)] == [True] * 5
