"""Published versions of the function: waiting for one, and deleting those that nobody needs."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tools.deploy.cloud import Cloud
from tools.deploy.errors import DeployFailed
from tools.deploy.stack import Stack


def wait_until_active(stack: Stack, version: str, cloud: Cloud) -> None:
    """Wait until a version can be invoked; one with SnapStart takes its snapshot first.

    DeployFailed, with Lambda's reason, where it can't start.
    """
    client = cloud.client("lambda")
    about: dict[str, Any] = {"FunctionName": stack.function, "Qualifier": version}
    try:
        delay = 0.2 if cloud.is_here else 2
        client.get_waiter("published_version_active").wait(
            **about, WaiterConfig={"Delay": delay, "MaxAttempts": round(600 / delay)}
        )
    except WaiterError as error:
        reason = client.get_function_configuration(**about).get("StateReason") or error
        raise DeployFailed(
            f"version {version} does not start: {reason}", "make logs has what it said."
        ) from error


def prune(stack: Stack, cloud: Cloud) -> list[str]:
    """Delete versions that nothing serves and nobody will go back to: snapshots cost.

    Proven versions stay, and the one that was published last. Returns those that were deleted.
    """
    client = cloud.client("lambda")
    stay = {"$LATEST", stack.live, stack.published, *stack.proven}
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=stack.function)
    there = [each["Version"] for page in pages for each in page["Versions"]]
    gone = []
    for version in sorted(set(there) - stay, key=int):
        try:
            client.delete_function(FunctionName=stack.function, Qualifier=version)
            gone.append(version)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceConflictException":
                raise  # another alias points there: not ours to delete
    return gone
