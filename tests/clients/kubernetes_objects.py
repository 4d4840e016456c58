"""Kubernetes' and KServe's objects on standard input, as JSON; prints what their own classes lack.

Run by KServe's Python, which has both clients: their classes know each field, its type, and which
are required. Cloud Run's service has the fields of Kubernetes' pods inside.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import kserve.models
import kubernetes.client
import pydantic

KINDS = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): "V1alpha1ServingRuntime",
    ("serving.kserve.io/v1beta1", "InferenceService"): "V1beta1InferenceService",
    ("apps/v1", "Deployment"): "V1Deployment",
    ("v1", "Service"): "V1Service",
}
PLAIN = {"str": str, "int": int, "bool": bool, "float": float}
CLOUD_RUN = {"containerConcurrency", "timeoutSeconds"}  # what its pods have beside Kubernetes'


def faults(value: Any, kind: str, place: str) -> Iterator[str]:
    """What is wrong with a value of a type, as the clients' classes name types."""
    inner = re.fullmatch(r"(?:List|list)\[(.*)\]", kind)
    if inner:
        for number, each in enumerate(value):
            yield from faults(each, inner[1], f"{place}[{number}]")
    elif kind in PLAIN and type(value) is not PLAIN[kind]:
        yield f"{place}: expected {kind}, got {value!r}"
    elif hasattr(kserve.models, kind):
        yield from _of_kserve(value, getattr(kserve.models, kind), place)
    elif hasattr(kubernetes.client, kind):
        try:
            getattr(kubernetes.client, kind).model_validate(value)
        except pydantic.ValidationError as error:
            for each in error.errors():
                yield f"{place}.{'.'.join(map(str, each['loc']))}: {each['msg']}"


def _of_kserve(value: dict[str, Any], model: Any, place: str) -> Iterator[str]:
    names = {told: name for name, told in model.attribute_map.items()}
    for told, each in value.items():
        if told in names:
            yield from faults(each, model.openapi_types[names[told]], f"{place}.{told}")
        else:
            yield f"{place}: {model.__name__} has no {told}"
    try:
        model(**{names[told]: each for told, each in value.items() if told in names})
    except ValueError as error:  # one is missing
        yield f"{place}: {error}"


def of_object(told: dict[str, Any]) -> list[str]:
    """What is wrong with an object."""
    kind = told["apiVersion"], told["kind"]
    if kind == ("serving.knative.dev/v1", "Service"):
        pod = told["spec"]["template"]["spec"]
        kept = {name: each for name, each in pod.items() if name not in CLOUD_RUN}
        return list(faults(kept, "V1PodSpec", "spec.template.spec"))
    return list(faults(told, KINDS[kind], told["kind"]))


if __name__ == "__main__":
    print(json.dumps([of_object(told) for told in json.load(sys.stdin)]))
