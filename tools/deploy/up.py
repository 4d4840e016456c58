"""`make deploy`: package, deploy a version, prove it where it runs, and only then serve it."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict

from onnxlet.convert.progress import Report
from onnxlet.function.models.example import example_instance
from tools.deploy import readiness
from tools.deploy.bundle import Bundle, described, make_bundle, upload_graphs
from tools.deploy.cloud import Cloud, run_osls
from tools.deploy.errors import DeployFailed, NotReady
from tools.deploy.options import Plan
from tools.deploy.stack import (
    Stack,
    find_stack,
    move_live,
    need_stack,
    prune,
    wait_until_active,
)
from tools.deploy.verification import prove

LOST = {"QUEUE": "queues, with what is in them", "FUNCTION_URL": "a URL, whose address ends"}
# Of a first deployment that failed: such a stack takes no other.
BROKEN = ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")


def up(plan: Plan, cloud: Cloud, report: Report) -> list[str]:
    """Deploy, and move `live` once the new version is proven.

    Returns what to report: the proof, the addresses, and a call to paste. NotReady before anything
    is done; DeployFailed with `live` where it was.
    """
    api_keys = readiness.check(plan, cloud)
    before = find_stack(plan.stack, cloud)
    if before is not None:
        _check_state(before)
        _check_losses(before, plan)
    bundle = make_bundle(plan, cloud, report)
    upload_graphs(bundle, plan, cloud, report)
    live = before.live if before else ""
    _check_same(before, find_stack(plan.stack, cloud))
    report(f"deploying {plan.stack} to {cloud.endpoint or 'AWS'}, region {cloud.region}")
    params = plan.params() | bundle.params()
    params |= {"liveVersion": live, "provenVersions": " ".join(before.proven if before else ())}
    run_osls("deploy", plan.stage, params, cloud, api_keys, "--force")
    stack = need_stack(plan.stack, cloud)
    version = stack.published
    report(f"proving version {version}")
    wait_until_active(stack, version, cloud)
    proofs = prove(bundle, stack, version, cloud)
    if version != live:
        report(f"moving live to version {version}" + (f" from {live}" if live else ""))
        kept = [*stack.proven, version][-int(plan.values["KEEP"]) :]
        stack = move_live(stack, version, kept, cloud)
    gone = prune(stack, cloud)
    lines = [f"version {version} is live", *map(str, proofs)]
    if gone:
        lines.append(f"deleted versions that were not needed: {', '.join(gone)}")
    return [*lines, *_addresses(stack, cloud), *_calls(bundle, stack, cloud, bool(api_keys))]


def _check_same(before: Stack | None, now: Stack | None) -> None:
    """Somebody else may have moved `live` while this one was packaging."""
    if before != now:
        raise DeployFailed(
            "somebody else changed the stack meanwhile", "Deploy again, to go on from there."
        )


def _check_state(stack: Stack) -> None:
    if stack.status in BROKEN:
        raise DeployFailed(
            f"stack {stack.name} is left of a deployment that failed: {stack.status}",
            f"Remove it: make remove STAGE={stack.name.removeprefix('onnxlet-')}",
        )
    if stack.status.endswith("_IN_PROGRESS"):
        raise DeployFailed(
            f"stack {stack.name} is busy: {stack.status}", "Try again when that is over."
        )


def _check_losses(stack: Stack, plan: Plan) -> None:
    """An option that was forgotten must not delete what clients use, or messages."""
    has = {"QUEUE": "RequestQueueUrl", "FUNCTION_URL": "FunctionUrl"}
    lost = [name for name in has if has[name] in stack.outputs and name not in plan.values]
    come = "s3://{ScoreBucket}/{ScorePrefix}".format_map(defaultdict(str, stack.parameters))
    if stack.parameters.get("ScoreBucket") and "SCORE_FROM" not in plan.values:
        raise NotReady(
            [f"SCORE_FROM: {stack.name} answers the objects of {come}, and would not any more"],
            "Set it and SCORE_TO again; SCORE_FROM=none ends it.",
        )
    if (boundary := stack.parameters.get("Boundary")) and "BOUNDARY" not in plan.values:
        raise NotReady(
            [f"BOUNDARY: the role of {stack.name} has {boundary}, and would lose it"],
            "Set it again; BOUNDARY=none takes it away.",
        )
    if lost:
        raise NotReady(
            [f"{name}: {stack.name} has {LOST[name]}, and would lose it" for name in lost],
            "Set it to 1 again; 0 deletes it.",
        )


def _url_of(stack: Stack, cloud: Cloud) -> str:
    """The endpoint; an emulator's as this machine can reach it, whatever names it resolves."""
    if cloud.endpoint:
        return f"{cloud.endpoint.rstrip('/')}/_aws/execute-api/{stack.outputs['ApiId']}"
    return stack.outputs["ApiUrl"]


def _addresses(stack: Stack, cloud: Cloud) -> list[str]:
    """Where the stack can be reached."""
    named = {
        "requests": "RequestQueueUrl",
        "answers": "AnswersQueueUrl",
        "objects": "ObjectsFrom",
        "their answers": "ObjectsTo",
        "dead letters": "DeadLettersUrl",
        "function URL": "FunctionUrl",
    }
    lines = [f"HTTP API: {_url_of(stack, cloud)}"]
    return lines + [
        f"{name}: {stack.outputs[key]}" for name, key in named.items() if key in stack.outputs
    ]


def _calls(bundle: Bundle, stack: Stack, cloud: Cloud, locked: bool) -> list[str]:
    """A call to paste for each model, made up of medians."""
    key = " -H 'X-API-Key: KEY'" if locked else ""
    lines = []
    for name, version in bundle.models.items():
        instance = example_instance(described(name, version, bundle.read(name, "manifest.json")))
        body = shlex.quote(json.dumps({"instances": [instance]}, ensure_ascii=False))
        path = f"{_url_of(stack, cloud)}/models/{name}/predict"
        lines += ["", f"curl -s {path}{key} -H 'Content-Type: application/json' -d {body}"]
    return lines
