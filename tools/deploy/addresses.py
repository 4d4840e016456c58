"""Where a deployment can be reached, and how."""

from __future__ import annotations

import json
import shlex

from onnxlet.function.models.example import example_instance
from tools.deploy.bundle import Bundle, described
from tools.deploy.cloud import Cloud
from tools.deploy.stack import Stack


def url_of(stack: Stack, cloud: Cloud) -> str:
    """The endpoint; an emulator's as this machine can reach it, whatever names it resolves."""
    if cloud.endpoint:
        return f"{cloud.endpoint.rstrip('/')}/_aws/execute-api/{stack.outputs['ApiId']}"
    return stack.outputs["ApiUrl"]


def addresses(stack: Stack, cloud: Cloud) -> list[str]:
    """Where the stack can be reached."""
    named = {
        "requests": "RequestQueueUrl",
        "answers": "AnswersQueueUrl",
        "objects": "ObjectsFrom",
        "their answers": "ObjectsTo",
        "dead letters": "DeadLettersUrl",
        "function URL": "FunctionUrl",
    }
    lines = [f"HTTP API: {url_of(stack, cloud)}"]
    return lines + [
        f"{name}: {stack.outputs[key]}" for name, key in named.items() if key in stack.outputs
    ]


def calls(bundle: Bundle, stack: Stack, cloud: Cloud, locked: bool) -> list[str]:
    """A call to paste for each model, made up of medians."""
    key = " -H 'X-API-Key: KEY'" if locked else ""
    lines = []
    for name, version in bundle.models.items():
        instance = example_instance(described(name, version, bundle.read(name, "manifest.json")))
        body = shlex.quote(json.dumps({"instances": [instance]}, ensure_ascii=False))
        path = f"{url_of(stack, cloud)}/models/{name}/predict"
        lines += ["", f"curl -s {path}{key} -H 'Content-Type: application/json' -d {body}"]
    return lines
