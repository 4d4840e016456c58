"""What is done with a deployment that is there: roll back, remove, look at the log, call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from onnxlet.convert.progress import Report
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.repository import versions_in
from tools.deploy import drift
from tools.deploy.cloud import Cloud, run_osls
from tools.deploy.errors import DeployFailed, WrongOptions
from tools.deploy.options import Plan
from tools.deploy.stack import Stack, find_stack, move_live, need_stack
from tools.deploy.verification import invoke

POLL = 2  # seconds between two reads of a log that is followed


def roll_back(plan: Plan, cloud: Cloud) -> list[str]:
    """Have `live` serve the version that was proven before this one, or raise DeployFailed."""
    stack = need_stack(plan.stack, cloud)
    if len(stack.proven) < 2:
        raise DeployFailed(
            f"there is no version before {stack.live or 'the first'} to go back to",
            "A version is kept here once its golden rows were answered where it runs.",
        )
    target = stack.proven[-2]
    try:
        about = cloud.client("lambda").get_function_configuration(
            FunctionName=stack.function, Qualifier=target
        )
    except ClientError as error:
        raise DeployFailed(f"version {target} can't be served: {error}") from error
    move_live(stack, target, stack.proven[:-1], cloud)
    keys = about.get("Environment", {}).get("Variables", {}).get("ONNXLET_API_KEYS", "")
    names = ", ".join(entry.partition(":")[0].strip() for entry in keys.split(",") if entry.strip())
    return [
        f"version {target} is live again, instead of {stack.live}: {about['Description']}",
        f"its keys are live again: {names}" if names else "it asks for no key: everybody may call",
    ]


def remove(plan: Plan, cloud: Cloud) -> list[str]:
    """Delete the stack with all that is in it, every version and the logs included."""
    if find_stack(plan.stack, cloud) is None:
        return [f"nothing is deployed as {plan.stack}"]
    run_osls("remove", plan.stage, {}, cloud, "")
    return [
        f"{plan.stack} is removed: function and versions, endpoint, queues, logs, alarms, bucket",
        "kept, where there are any: graphs at MODELS_URL, keys in Parameter Store, past metrics",
    ]


def log_lines(plan: Plan, cloud: Cloud, minutes: int, follow: bool) -> Iterator[str]:
    """The function's log, oldest line first; with `follow` it does not end."""
    stack = need_stack(plan.stack, cloud)
    client = cloud.client("logs")
    since = round((time.time() - 60 * minutes) * 1000)
    seen: set[tuple[Any, ...]] = set()
    while True:
        for event in _log_events(client, stack, since):
            # Of its own id emulators may know nothing.
            key = (event.get("eventId"), event["timestamp"], event["message"])
            if key not in seen:
                seen.add(key)
                since = max(since, event["timestamp"])
                yield event["message"].rstrip("\n")
        if not follow:
            return
        time.sleep(POLL)


def _log_events(client: Any, stack: Stack, since: int, pattern: str = "") -> Iterator[Any]:
    """Events of the function's log, page by page, since so many milliseconds after 1970."""
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{stack.function}",
        startTime=since,
        **({"filterPattern": pattern} if pattern else {}),
    )
    return (event for page in pages for event in page["events"])


def drifts(
    plan: Plan, cloud: Cloud, minutes: int, model: str, report: Report
) -> list[dict[str, Any]]:
    """What the log of so many minutes says of each model, or of one, as its route does.

    `report` takes what can't be compared, and why; DeployFailed where nothing can.
    """
    stack = need_stack(plan.stack, cloud)
    since = time.time() - 60 * minutes
    events = _log_events(cloud.client("logs"), stack, round(since * 1000), drift.PATTERN)
    return drift.added_up(drift.deltas_of(events, model), drift.manifests_of(plan), since, report)


def call(plan: Plan, cloud: Cloud, body: str, model: str) -> tuple[str, bool]:
    """The answer of `live` to BODY or a golden row, as JSON, and whether it is a prediction.

    WrongOptions where the body is not JSON, or there is no model that a golden row could be of;
    DeployFailed where the function raised.
    """
    try:
        event = json.loads(body) if body else _golden_row(plan, model)
    except ValueError as error:
        raise WrongOptions([f"BODY: expected JSON, got something else: {error}"]) from error
    stack = need_stack(plan.stack, cloud)
    if not stack.live:
        raise DeployFailed(f"{plan.stack} serves nothing yet", "Its version was not proven.")
    client = cloud.client("lambda", seconds=900)
    answer, _ = invoke(client, stack, "live", event, golden=not body)
    return json.dumps(answer, ensure_ascii=False), "prediction" in answer


def _golden_row(plan: Plan, model: str) -> dict[str, Any]:
    there = sorted(entry.name for entry in plan.models.glob("*") if versions_in(entry))
    if not there or (model and model not in there):
        raise WrongOptions([f"MODEL: expected one of {', '.join(there) or 'none'}, got '{model}'"])
    name = model or there[0]
    versions = versions_in(plan.models / name)
    version = serves(name, versions, of_model([plan.models], name, versions))
    golden = json.loads((plan.models / name / str(version) / "golden.json").read_text())
    return {"model": name, "instances": golden["instances"][:1]}
