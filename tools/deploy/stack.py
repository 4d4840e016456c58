"""The stack of a stage in CloudFormation: what it says, its versions, and moving `live` in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tools.deploy.cloud import Cloud
from tools.deploy.errors import DeployFailed

LIVE, PROVEN = "LiveVersion", "ProvenVersions"
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
SECONDS = 900  # for a stack to change


@dataclass(frozen=True)
class Stack:
    """A stack as it is now."""

    name: str
    status: str  # CloudFormation's word for its state
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def live(self) -> str:
        """The version that is served, or an empty string."""
        return self.parameters.get(LIVE, "")

    @property
    def proven(self) -> list[str]:
        """Versions that were proven where they run, oldest first; `live` is the last of them."""
        return self.parameters.get(PROVEN, "").split()

    @property
    def function(self) -> str:
        """The function's name."""
        return self.outputs["FunctionName"]

    @property
    def log_hint(self) -> str:
        """What a failure's hint says."""
        return f"make logs STAGE={self.name.removeprefix('onnxlet-')} has what it said."

    @property
    def published(self) -> str:
        """The version that the last deployment published."""
        return self.outputs["PredictLambdaFunctionQualifiedArn"].rpartition(":")[2]


def find_stack(name: str, cloud: Cloud) -> Stack | None:
    """The stack of this name, or None; ClientError where CloudFormation does not answer."""
    try:
        found = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    [about] = found
    outputs = {each["OutputKey"]: each["OutputValue"] for each in about.get("Outputs", ())}
    given = {each["ParameterKey"]: each["ParameterValue"] for each in about.get("Parameters", ())}
    return Stack(name, about["StackStatus"], outputs, given)


def need_stack(name: str, cloud: Cloud) -> Stack:
    """The stack of this name; DeployFailed where there is none."""
    stack = find_stack(name, cloud)
    if stack is None or "FunctionName" not in stack.outputs:
        stage = name.removeprefix("onnxlet-")
        raise DeployFailed(f"nothing is deployed as {name}", f"make deploy STAGE={stage}")
    return stack


def move_live(stack: Stack, version: str, proven: Sequence[str], cloud: Cloud) -> Stack:
    """Have `live` serve another version, and remember which ones are proven.

    CloudFormation does it, by the template that is there: what it knows stays what is, and a later
    deployment that fails goes back to this version, not to an older one. DeployFailed where it did
    not work, and `live` is where it was.
    """
    kept: list[dict[str, Any]] = [
        {"ParameterKey": key, "UsePreviousValue": True}
        for key in stack.parameters
        if key not in (LIVE, PROVEN)
    ]
    new = {LIVE: version, PROVEN: " ".join(proven)}
    client = cloud.client("cloudformation")
    try:
        client.update_stack(
            StackName=stack.name,
            UsePreviousTemplate=True,
            Parameters=kept + [{"ParameterKey": k, "ParameterValue": v} for k, v in new.items()],
            Capabilities=list(CAPABILITIES),
        )
        delay = 0.2 if cloud.is_here else 3
        client.get_waiter("stack_update_complete").wait(
            StackName=stack.name,
            WaiterConfig={"Delay": delay, "MaxAttempts": round(SECONDS / delay)},
        )
    except (ClientError, WaiterError) as error:
        raise DeployFailed(
            f"live can't be moved to version {version}: {error}",
            f"See the events of stack {stack.name} in CloudFormation.",
        ) from error
    return need_stack(stack.name, cloud)


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
        raise DeployFailed(f"version {version} does not start: {reason}", stack.log_hint) from error


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
