"""Check everything that a deployment needs before anything is done; report all that is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from botocore.exceptions import ClientError
from botocore.exceptions import ConnectionError as NoConnection

from onnxlet.function.errors import ModelError, SettingsError
from onnxlet.function.models.repository import versions_in
from onnxlet.function.settings import Settings
from tools.deploy.bundle import EMULATOR, PACKAGER, read_bundle, target_of
from tools.deploy.cloud import OSLS, REFUSED, Cloud
from tools.deploy.errors import DeployFailed, NotReady
from tools.deploy.options import NOT_HANDED_ON, Plan

HINT = "docs/how-to/deploy.md says what a deployment needs, and how to make a key."
OLDEST_NODE = (20, 19)
KEYS = (
    "ONNXLET_API_KEYS=name:sha256-hex, or their name in Parameter Store as API_KEYS_SSM, "
    "or OPEN=1 where the endpoint is meant to be public"
)
SECRETS = "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def check(plan: Plan, cloud: Cloud) -> str:
    """Look for what a deployment needs; NotReady with everything that is missing.

    Returns the accepted API keys, as `ONNXLET_API_KEYS` has them; none where it is to be open.
    """
    caller = [*_caller(cloud)]
    faults = [*_settings(cloud.given), *_tools(), *_models(plan, cloud), *caller]
    if not caller and plan.objects is not None:
        faults += _bucket(plan.objects[0], cloud)
    keys = ""
    try:
        keys = _api_keys(plan, cloud, ask=not caller)
    except NotReady as error:
        faults += error.faults
    if faults:
        raise NotReady(faults, HINT)
    return keys


def check_access(cloud: Cloud, osls: bool = False) -> None:
    """What every command needs, and what those need that run osls; NotReady with all of it."""
    faults = [*(_tools() if osls else ()), *_caller(cloud)]
    if faults:
        raise NotReady(faults, HINT)


def _tools() -> Iterator[str]:
    node = shutil.which("node")
    if node is None:
        yield "Node.js: expected node on the PATH, got none; install Node.js 22"
    else:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        found = re.match(r"v(\d+)\.(\d+)", said.stdout)
        if not found or (int(found[1]), int(found[2])) < OLDEST_NODE:
            yield f"Node.js: expected 20.19 or newer, got {said.stdout.strip() or 'no answer'}"
    if not OSLS.exists():
        yield f"osls: expected it in node_modules, got none; run npm ci in {OSLS.parents[2]}"


def _settings(environ: Mapping[str, str]) -> Iterator[str]:
    """Settings that would be dropped."""
    for name, reason in NOT_HANDED_ON.items():
        if environ.get(name, "").strip():
            yield f"{name}: expected nothing, since it does not reach the function; {reason}"


def _models(plan: Plan, cloud: Cloud) -> Iterator[str]:
    if "BUNDLE" in plan.values:
        yield from _bundle(plan, cloud)
        return
    if not PACKAGER.exists():
        yield "packaging: expected .venv, got none; run make setup"
    folder = plan.models
    there = {entry.name for entry in folder.glob("*") if versions_in(entry)}
    if not there:
        yield f"MODELS: expected model directories in '{folder}', got none; run make model"
    unknown = sorted(set(plan.values.get("REMOTE", "").split()) - there)
    yield from _default_model(plan, sorted(there))
    if there and unknown:
        yield f"REMOTE: expected names of models in '{folder}', got {', '.join(unknown)}"


def _default_model(plan: Plan, there: Collection[str]) -> Iterator[str]:
    if there and plan.default_model not in {None, *there}:
        got = f"got '{plan.default_model}'"
        yield f"ONNXLET_DEFAULT_MODEL: expected one of {', '.join(there)}, {got}"


def _bundle(plan: Plan, cloud: Cloud) -> Iterator[str]:
    path = Path(plan.values["BUNDLE"])
    if not path.is_file():
        yield f"BUNDLE: expected a file, got '{path}'; run make package"
        return
    try:
        about = read_bundle(path, plan.pins).about
    except ModelError as error:
        yield f"{error.message}; {error.hint}"
        return
    except DeployFailed as error:
        yield f"{error.message}; run make package"
        return
    yield from _default_model(plan, about["models"])
    python, arch = target_of(plan, cloud)
    for name, key, wanted, default, known in (
        ("PYTHON_VERSION", "python", python, plan.default_python, EMULATOR.exists()),
        ("ARCH", "arch", arch, plan.default_arch, True),
    ):
        if not default and wanted != about[key]:
            yield f"{name}: expected {about[key]}, which '{path}' is for, got {wanted}"
        elif cloud.is_here and known and wanted != about[key]:
            made = f"make package {name}={wanted}, or deploy without BUNDLE"
            yield f"BUNDLE: expected one for the emulator's {wanted}, got {about[key]}; {made}"
    if (remote := about.get("remote")) and "MODELS_URL" not in plan.values:
        lacks = f"'{path}' lacks the graphs of {', '.join(remote)}"
        yield f"MODELS_URL: expected s3://BUCKET/PREFIX, since {lacks}; got none"
    if plan.wanted("SNAPSTART") and about["python"] == "3.11":
        yield f"SNAPSTART: expected Python 3.12 or newer, got '{path}' for 3.11"


def _caller(cloud: Cloud) -> Iterator[str]:
    if cloud.fault:
        yield f"AWS_PROFILE: {cloud.fault}"
        return
    if cloud.region is None:
        yield "AWS region: expected AWS_REGION, or a region in your profile, got none"
        if not cloud.has_credentials():
            yield f"AWS credentials: expected some, got none; set {SECRETS}"
        return
    try:
        cloud.check_credentials()
    except NoConnection as error:
        hint = "; start one: make emulator" if cloud.is_here else ""
        yield f"AWS: expected an answer, got none: {error}{hint}"
    except REFUSED as error:
        yield f"AWS credentials: expected some that AWS takes, got: {error}; set {SECRETS}"


def _bucket(score_from: str, cloud: Cloud) -> Iterator[str]:
    """What keeps a bucket from reporting its objects."""
    name = score_from.removeprefix("s3://").partition("/")[0]
    client = cloud.client("s3")
    try:
        found = client.get_bucket_notification_configuration(Bucket=name)
    except REFUSED as error:
        yield f"SCORE_FROM: expected bucket {name}, and to see what it reports, got: {error}"
        return
    if "EventBridgeConfiguration" not in found:
        yield (
            f"SCORE_FROM: expected bucket {name} to send its events to EventBridge, and it does "
            "not; switch that on in S3, among the bucket's properties"
        )
    try:
        about = client.head_bucket(Bucket=name)
    except ClientError as error:  # whoever may not see the bucket is told where it is, too
        about = error.response
    region = about["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", cloud.region)
    if region != cloud.region:
        stack = f"in {cloud.region}, as its events reach nothing elsewhere"
        yield f"SCORE_FROM: expected a bucket {stack}, got {name} in {region}; set AWS_REGION"


def _check_keys(keys: str) -> None:
    try:
        Settings.from_environ({"ONNXLET_API_KEYS": keys})
    except SettingsError as error:
        raise NotReady([error.message]) from error


def _api_keys(plan: Plan, cloud: Cloud, ask: bool) -> str:
    """The keys, which are in the environment or in Parameter Store, which is asked if it can be.

    NotReady where there are none, or where the endpoint is said to be open as well.
    """
    name = plan.values.get("API_KEYS_SSM", "")
    given = [each for each in (name, plan.api_keys, plan.wanted("OPEN")) if each]
    if not given:
        raise NotReady([f"API keys: expected {KEYS}; got none"])
    if len(given) > 1:
        raise NotReady(
            ["ONNXLET_API_KEYS, API_KEYS_SSM and OPEN=1: expected one of them, got more"]
        )
    if not name or not ask:
        _check_keys(plan.api_keys)
        return plan.api_keys
    try:
        answer = cloud.client("ssm").get_parameter(Name=name, WithDecryption=True)
        value = str(answer["Parameter"]["Value"]).strip()
        if not Settings.from_environ({"ONNXLET_API_KEYS": value}).api_keys:
            raise NotReady([f"API_KEYS_SSM: expected keys in {name}, got none"])
    except REFUSED as error:
        raise NotReady(
            [f"API_KEYS_SSM: expected {name} in Parameter Store, got: {error}"]
        ) from error
    except SettingsError as error:
        raise NotReady([f"API_KEYS_SSM: {name}: {error.message}"]) from error
    return value
