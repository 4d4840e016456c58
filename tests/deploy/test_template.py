"""The CloudFormation template that osls makes of serverless.yml, option by option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, ran
from tests.deploy.emulator import EMULATOR, clean_environ
from tools.deploy.errors import WrongOptions
from tools.deploy.options import read_plan

pytestmark = pytest.mark.deploy

OSLS = ROOT / "node_modules" / ".bin" / "osls"
ALL = {
    "MEMORY": "2048",
    "TIMEOUT": "20",
    "TMP_MB": "1024",
    "CONCURRENCY": "7",
    "RATE": "11",
    "BURST": "13",
    "FUNCTION_URL": "1",
    "QUEUE": "1",
    "WARM_MINUTES": "5",
    "LOG_DAYS": "7",
    "P99_MS": "250",
    "ALARM_TOPIC": "arn:aws:sns:eu-west-1:000000000000:alarms",
    "MODELS_URL": "s3://bucket/some/prefix",
    "REMOTE": "iris",
    "SCORE_FROM": "s3://bucket/come/in",
    "SCORE_TO": "s3://bucket/go/",
    "BOUNDARY": "arn:aws:iam::000000000000:policy/some/boundary",
}
COMBINATIONS = {
    "nothing": {},
    "everything": ALL,
    "SnapStart": {"SNAPSTART": "1"},
    "a queue": {"QUEUE": "1"},
    "graphs in S3": {"MODELS_URL": "s3://bucket/some/prefix", "REMOTE": "iris"},
    "objects": {"SCORE_FROM": "s3://bucket/in/", "SCORE_TO": "s3://other/out/"},
    "an older Python": {"PYTHON_VERSION": "3.11"},
}
# What cfn-lint warns of and stays, and why.
ACCEPTED = {
    "I1022",  # osls writes its own bucket's policy with Fn::Join
    "I3011",  # removing a stage is meant to remove its queues and logs, see docs/how-to/deploy.md
    "W3005",  # osls itself says that the function depends on the role that it names
}


def template(folder: Path, options: dict[str, str]) -> tuple[Path, Any]:
    """Only `osls package`: no account and no endpoint."""
    bundle = folder / "bundle.zip"
    bundle.write_bytes(b"PK\x05\x06" + bytes(18))
    command = [str(OSLS), "package", "--stage", "dev", "--region", "eu-west-1"]
    command += ["--package", str(folder), "--param", f"bundle={bundle}"]
    for name, value in read_plan(options).params().items():
        command += ["--param", f"{name}={value}"]
    python = options.get("PYTHON_VERSION", "3.13")
    command += ["--param", f"python={python}", "--param", "architecture=arm64"]
    done = ran(command, env=clean_environ(folder, ONNXLET_API_KEYS="", CI="1"))
    assert done.returncode == 0, done.stdout + done.stderr
    path = folder / "cloudformation-template-update-stack.json"
    return path, json.loads(path.read_text())


@pytest.mark.parametrize("options", COMBINATIONS.values(), ids=COMBINATIONS)
def test_cfn_lint_finds_nothing(options: dict[str, str], tmp_path: Path) -> None:
    path, _ = template(tmp_path, options)
    lint = EMULATOR.with_name("cfn-lint")

    done = ran(
        [lint, "--format", "json", "--regions", "eu-west-1", "--include-checks", "I", "--", path],
        env=clean_environ(tmp_path),
    )

    found = json.loads(done.stdout)
    assert [each for each in found if each["Rule"]["Id"] not in ACCEPTED] == []
    assert {each["Rule"]["Id"] for each in found} == ACCEPTED, "an exception that nothing needs"


def test_what_the_options_set(tmp_path: Path) -> None:
    resources = template(tmp_path, ALL)[1]["Resources"]
    function = resources["PredictLambdaFunction"]["Properties"]
    throttling = resources["ApiStage"]["Properties"]["DefaultRouteSettings"]

    assert function["Architectures"] == ["arm64"]
    assert function["Runtime"] == "python3.13"
    assert (function["MemorySize"], function["Timeout"]) == (2048, 20)
    assert function["EphemeralStorage"] == {"Size": 1024}
    assert function["ReservedConcurrentExecutions"] == 7
    assert {key: int(value) for key, value in throttling.items()} == {
        "ThrottlingRateLimit": 11,
        "ThrottlingBurstLimit": 13,
    }
    assert int(resources["RequestQueue"]["Properties"]["VisibilityTimeout"]) == 6 * 20
    variables = function["Environment"]["Variables"]
    assert variables["ONNXLET_MODELS_URL"] == "s3://bucket/some/prefix"
    assert variables["ONNXLET_SCORE_FROM"] == "s3://bucket/come/in/"
    assert variables["ONNXLET_SCORE_TO"] == "s3://bucket/go/"


def test_the_role_allows_nothing_that_is_not_used(tmp_path: Path) -> None:
    resources = template(tmp_path, ALL)[1]["Resources"]
    role = resources["FunctionRole"]["Properties"]
    allowed: dict[str, tuple[Any, Any]] = {}
    for entry in role["Policies"]:
        condition, policy = entry["Fn::If"][:2] if "Fn::If" in entry else (None, entry)
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                allowed[f"{action} {statement['Resource']}"] = (condition, statement["Effect"])

    def arn(name: str) -> str:
        return str({"Fn::GetAtt": [name, "Arn"]})

    def below(path: str) -> str:
        return str({"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{path}*"})

    come, go = below("${ScoreBucket}/${ScorePrefix}"), below("${ScoreToPath}")
    graphs = str({"Fn::Sub": "arn:${AWS::Partition}:s3:::${ModelsPath}/*"})
    assert allowed == {
        f"logs:CreateLogStream {arn('PredictLogGroup')}": (None, "Allow"),
        f"logs:PutLogEvents {arn('PredictLogGroup')}": (None, "Allow"),
        f"sqs:SendMessage {arn('DeadLetters')}": (None, "Allow"),
        f"sqs:ReceiveMessage {arn('RequestQueue')}": ("HasQueue", "Allow"),
        f"sqs:DeleteMessage {arn('RequestQueue')}": ("HasQueue", "Allow"),
        f"sqs:GetQueueAttributes {arn('RequestQueue')}": ("HasQueue", "Allow"),
        f"sqs:SendMessage {arn('AnswersQueue')}": ("HasQueue", "Allow"),
        f"s3:GetObject {graphs}": ("HasRemoteModels", "Allow"),
        f"s3:GetObject {come}": ("HasObjects", "Allow"),
        f"s3:GetObject {go}": ("HasObjects", "Allow"),
        f"s3:PutObject {go}": ("HasObjects", "Allow"),
        f"s3:AbortMultipartUpload {go}": ("HasObjects", "Allow"),
        f"s3:DeleteObject {go}": ("HasObjects", "Allow"),
    }
    assert "ManagedPolicyArns" not in role
    roles = [name for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"]
    assert roles == ["FunctionRole"]


def test_the_role_has_the_boundary_that_is_asked_for(tmp_path: Path) -> None:
    """Without one, the deploying user could make a role of any rights, and use it."""
    made = template(tmp_path, ALL)[1]
    expected = {"Fn::If": ["HasBoundary", {"Ref": "Boundary"}, {"Ref": "AWS::NoValue"}]}
    assert made["Resources"]["FunctionRole"]["Properties"]["PermissionsBoundary"] == expected
    assert made["Conditions"]["HasBoundary"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "Boundary"}, ""]}]
    }
    assert "BOUNDARY" in ALL
    assert "boundary" not in read_plan({"BOUNDARY": "none"}).params()
    for wrong in ("arn:aws:iam::1:policy/x", "arn:aws:iam::000000000000:role/x", "boundary"):
        with pytest.raises(WrongOptions, match="BOUNDARY: expected an IAM policy's ARN"):
            read_plan({"BOUNDARY": wrong})


def test_what_serves_waits_for_a_proof(tmp_path: Path) -> None:
    made = template(tmp_path, ALL)[1]
    serving = (
        "AWS::ApiGatewayV2::",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Url",
        "AWS::Lambda::Permission",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Events::Rule",
    )
    found = {
        name: each.get("Condition")
        for name, each in made["Resources"].items()
        if each["Type"].startswith(serving)
    }

    assert len(found) == 12
    assert set(found.values()) == {
        *("IsLive", "HasFunctionUrl", "HasLiveQueue", "HasLiveObjects", "HasSchedule")
    }
    for name in set(found.values()) - {"IsLive"}:
        assert {"Condition": "IsLive"} in made["Conditions"][name]["Fn::And"]


@pytest.mark.parametrize(
    "options", [{"SNAPSTART": "1"}, {"QUEUE": "1"}, {"MEMORY": "512"}], ids=lambda o: next(iter(o))
)
def test_a_change_of_the_function_publishes_a_version(
    options: dict[str, str], tmp_path: Path
) -> None:
    def version(name: str, options: dict[str, str]) -> str:
        (tmp_path / name).mkdir()
        resources = template(tmp_path / name, options)[1]["Resources"]
        [found] = [k for k, v in resources.items() if v["Type"] == "AWS::Lambda::Version"]
        assert resources[found]["DeletionPolicy"] == "Retain"
        return str(found)

    assert version("before", {}) == version("again", {})
    assert version("changed", options) != version("before as well", {})
