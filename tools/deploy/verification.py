"""Verify a deployment: send golden rows to the published version, and compare its answers."""

from __future__ import annotations

import base64
import json
import re
import statistics
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.folders import typed
from onnxlet.function.aws.native_events import GOLDEN
from onnxlet.function.serving.golden import compare
from tools.deploy.bundle import Bundle
from tools.deploy.errors import DeployFailed

if TYPE_CHECKING:  # with boto3, which only deploying needs
    from tools.deploy.cloud import Cloud
    from tools.deploy.stack import Stack

ROW = re.compile(r"golden row (\d+), ")
SINGLE = 20  # calls with one row each, for the latency
# Lambda hands it to the function as it is.
NOT_COUNTED = base64.b64encode(json.dumps({"custom": {"request_id": GOLDEN}}).encode()).decode()


class Proof(NamedTuple):
    """How a model answered."""

    name: str
    version: int
    rows: int  # how many golden rows there were
    first_ms: float  # of the first call from here, the function's start included if it had to
    median_ms: float  # of calls with one row each, from here
    slowest_ms: float  # of those

    def __str__(self) -> str:
        return (
            f"{self.name}/{self.version}: {self.rows} golden rows, 0 answers differ; from here "
            f"the first call took {self.first_ms:.0f} ms, one row {self.median_ms:.0f} ms "
            f"(median of {SINGLE}), {self.slowest_ms:.0f} ms at most"
        )


def prove(bundle: Bundle, stack: Stack, qualifier: str, cloud: Cloud) -> list[Proof]:
    """Replay the golden rows of every model of a bundle by a version of the function.

    DeployFailed where an answer differs; it names the rows, and nothing of their content.
    """
    client = cloud.client("lambda", seconds=900)
    faults: list[str] = []
    proofs = []
    for name, version in bundle.models.items():
        golden = bundle.read(name, "golden.json")
        rows = golden["instances"]
        if not rows:
            faults.append(f"{name}/{version}: there are no golden rows to prove it by")
            continue
        call = {"model": name, "instances": rows}
        answer, first_ms = invoke(client, stack, qualifier, call, golden=True)
        found = differences(answer, golden, version)
        if found:
            faults.append(f"{name}/{version}: {found}")
            continue
        times = [
            invoke(client, stack, qualifier, call | {"instances": [row]}, golden=True)[1]
            for row in (rows * SINGLE)[:SINGLE]
        ]
        proofs.append(
            Proof(name, version, len(rows), first_ms, statistics.median(times), max(times))
        )
    if faults:
        served = f"live still serves version {stack.live}" if stack.live else "nothing is served"
        raise DeployFailed(
            f"version {qualifier} is not proven, and {served}:\n  " + "\n  ".join(faults),
            f"{typed('convert', 'verify DIR/N/V')} shows whether the model answers correctly here.",
        )
    return proofs


def invoke(
    client: Any, stack: Stack, qualifier: str, event: Any, golden: bool = False
) -> tuple[Any, float]:
    """What a version or alias answers directly, and the milliseconds until it was here.

    Golden rows are not counted with what comes in. DeployFailed with the function's own words,
    where it raised.
    """
    payload = json.dumps(event).encode()
    start = time.perf_counter()
    more = {"ClientContext": NOT_COUNTED} if golden else {}
    got = client.invoke(FunctionName=stack.function, Qualifier=qualifier, Payload=payload, **more)
    content = got["Payload"].read()
    ms = (time.perf_counter() - start) * 1e3
    try:  # it is not proven: what it returns may be anything
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DeployFailed(
            f"version {qualifier} returns something else than JSON: {type(error).__name__}",
            stack.log_hint,
        ) from error
    if "FunctionError" in got:
        about = answer if isinstance(answer, dict) else {}
        raise DeployFailed(
            f"version {qualifier} fails: {about.get('errorType')}: {about.get('errorMessage')}",
            stack.log_hint,
        )
    return answer, ms


def differences(answer: Any, golden: Mapping[str, Any], version: int) -> str:
    """What is off in the native answer of this version to all golden rows; or an empty string.

    It has no value of anybody's row.
    """
    if not isinstance(answer, dict) or "prediction" not in answer:
        about = answer if isinstance(answer, dict) else {}
        return f"no prediction, but status {about.get('status')}: {about.get('title')}"
    if answer.get("version") != version:
        return f"version {answer.get('version')} answered"
    faults = compare(answer, golden)
    if not faults:
        return ""
    rows = sorted({int(row) for fault in faults for row in ROW.findall(fault)})
    return f"{len(rows)} of {len(golden['instances'])} golden rows are answered differently: {rows}"
