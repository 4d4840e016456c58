"""From a bundle to answers: endpoint, direct call, queue, new versions, the way back, removal."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle.targets import deploy_line
from tests.deploy.conftest import ROW
from tests.deploy.emulator import Emulator, post, wait_until

pytestmark = pytest.mark.deploy

KEY = "a key for tests"
KEYS = f"tester:{hashlib.sha256(KEY.encode()).hexdigest()}"
BODY = {"instances": [ROW]}
BAD = {"instances": [["wide", *ROW[1:]]]}


def endpoint(told: str) -> str:
    [url] = re.findall(r"^HTTP API: (\S+)$", told, re.MULTILINE)
    return f"{url}/models/iris/predict"


def served(url: str) -> int:
    version: int = post(url, BODY).json()["version"]
    return version


def altered(bundle: Path, out: Path) -> Path:
    """A bundle whose golden rows expect another answer; every hash in it is right."""
    with zipfile.ZipFile(bundle) as source:
        files = {name: source.read(name) for name in source.namelist()}
    [golden] = [name for name in files if name.endswith("/golden.json")]
    manifest = golden.replace("golden.json", "manifest.json")
    rows = json.loads(files[golden])
    rows["answers"]["prediction"][2] = (rows["answers"]["prediction"][2] + 1) % 3
    rows["answers"]["probabilities"][5][0] += 0.25
    files[golden] = json.dumps(rows).encode()
    about = json.loads(files[manifest])
    about["files"]["golden.json"] = hashlib.sha256(files[golden]).hexdigest()
    files[manifest] = json.dumps(about).encode()
    listed = json.loads(files["bundle.json"])
    for name in (golden, manifest):
        listed["files"][name] = hashlib.sha256(files[name]).hexdigest()
    files["bundle.json"] = json.dumps(listed).encode()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return out


def test_make_deploys_calls_and_removes(emulator: Emulator, iris_models: Path) -> None:
    at = ["STAGE=whole", f"MODELS={iris_models}"]
    done = emulator.make("deploy", *at, f"ONNXLET_API_KEYS={KEYS}")
    assert done.returncode == 0, done.stdout + done.stderr
    url = endpoint(done.stdout)
    answer = post(url, BODY, X_API_Key=KEY)
    direct = emulator.make("invoke", *at, f"BODY={json.dumps({'model': 'iris', **BODY})}")
    golden = emulator.make("invoke", *at)

    assert "version 1 is live" in done.stdout
    assert re.search(
        r"^iris/1: 24 golden rows, 0 answers differ; .* one row \d+ ms", done.stdout, re.M
    )
    assert "-H 'X-API-Key: KEY'" in done.stdout
    assert post(url, BODY).status == 401
    assert post(url, BODY, X_API_Key="another").status == 401
    assert answer.status == 200
    assert answer.json()["prediction"] == [2]
    assert post(url, BAD, X_API_Key=KEY).status == 422
    assert json.loads(direct.stdout) == answer.json()
    assert json.loads(golden.stdout)["model"] == "iris"
    post(url, BODY, X_API_Key=KEY)  # the emulator may keep a line until the next comes
    log = emulator.make("logs", *at)
    lines = [json.loads(line) for line in log.stdout.splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if "path" in line][:4] == [200, 401, 401, 422]

    removed = emulator.make("remove", *at)
    assert removed.returncode == 0, removed.stderr
    assert "onnxlet-whole is removed" in removed.stdout
    assert left_behind(emulator, "whole") == {}
    assert post(url, BODY, X_API_Key=KEY).status != 200
    again = emulator.make("remove", *at)
    assert again.returncode == 0
    assert "nothing is deployed as onnxlet-whole" in again.stdout
    assert "nothing is deployed" in emulator.make("invoke", *at).stderr


def left_behind(emulator: Emulator, stage: str) -> dict[str, Any]:
    """By service, what still bears the stage's name."""
    name = f"onnxlet-{stage}"
    calls = {
        "cloudformation": ("describe_stacks", "Stacks"),
        "lambda": ("list_functions", "Functions"),
        "sqs": ("list_queues", "QueueUrls"),
        "s3": ("list_buckets", "Buckets"),
        "logs": ("describe_log_groups", "logGroups"),
        "cloudwatch": ("describe_alarms", "MetricAlarms"),
        "iam": ("list_roles", "Roles"),
        "apigatewayv2": ("get_apis", "Items"),
        "events": ("list_rules", "Rules"),
    }
    found = {
        service: [each for each in emulator.aws(service, call).get(key, ()) if name in str(each)]
        for service, (call, key) in calls.items()
    }
    return {service: those for service, those in found.items() if those}


def test_a_batch_with_a_bad_record(emulator: Emulator, first: Path) -> None:
    emulator.up(STAGE="batch", BUNDLE=str(first), OPEN="1", QUEUE="1", TIMEOUT="10")
    outputs = emulator.outputs("batch")
    queue = outputs["RequestQueueUrl"]
    bodies = {"a": BODY, "b": BAD, "c": {"instances": [ROW, ROW]}}
    entries = [{"Id": k, "MessageBody": json.dumps(v)} for k, v in bodies.items()]
    attributes = emulator.aws("sqs", "get_queue_attributes", QueueUrl=queue, AttributeNames=["All"])

    def come_back_after(seconds: int) -> None:
        visible = {"VisibilityTimeout": str(seconds)}
        emulator.aws("sqs", "set_queue_attributes", QueueUrl=queue, Attributes=visible)

    # Five times six times the timeout is long to wait; but whoever is being answered must not come
    # back meanwhile: the first has to wait until the function has imported what sends answers.
    come_back_after(10)
    sent = emulator.aws("sqs", "send_message_batch", QueueUrl=queue, Entries=entries)["Successful"]
    ids = {each["Id"]: each["MessageId"] for each in sent}

    answers = received(emulator, outputs["AnswersQueueUrl"], 2)
    come_back_after(1)
    [dead] = received(emulator, outputs["DeadLettersUrl"], 1)

    assert attributes["Attributes"]["VisibilityTimeout"] == "60"
    by_request = {
        each["MessageAttributes"]["request_id"]["StringValue"]: json.loads(each["Body"])
        for each in answers
    }
    assert {key: each["prediction"] for key, each in by_request.items()} == {
        ids["a"]: [2],
        ids["c"]: [2, 2],
    }
    assert json.loads(dead["Body"]) == BAD
    assert received(emulator, outputs["AnswersQueueUrl"], 0) == []

    forgotten = emulator.command("up", STAGE="batch", BUNDLE=str(first), OPEN="1")
    assert forgotten.returncode == 1
    assert "QUEUE: onnxlet-batch has queues, with what is in them, and would" in forgotten.stderr
    assert emulator.outputs("batch") == outputs
    emulator.up(STAGE="batch", BUNDLE=str(first), OPEN="1", QUEUE="0")
    assert not {"RequestQueueUrl", "AnswersQueueUrl"} & emulator.outputs("batch").keys()
    assert emulator.command("remove", STAGE="batch").returncode == 0
    assert left_behind(emulator, "batch") == {}


def received(emulator: Emulator, url: str, count: int) -> list[dict[str, Any]]:
    """So many messages of a queue, and no more than are there."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        got = emulator.aws(
            "sqs",
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=600,
        )
        found.extend(got.get("Messages", ()))
        return len(found) >= count

    wait_until(look, 120)
    assert len(found) == count
    return found


def mappings(emulator: Emulator, stage: str) -> list[Any]:
    """What has the stage's function read a queue."""
    found = emulator.aws("lambda", "list_event_source_mappings")["EventSourceMappings"]
    return [each for each in found if f"onnxlet-{stage}-predict" in each["FunctionArn"]]


def test_versions_are_served_once_proven_and_again_after_a_rollback(
    emulator: Emulator, first: Path, second: Path, tmp_path: Path
) -> None:
    at = {"STAGE": "versions", "OPEN": "1"}
    url = endpoint(emulator.up(BUNDLE=str(first), **at))
    assert (served(url), emulator.live("versions")) == (1, "1")

    wrong = emulator.command("up", BUNDLE=str(altered(second, tmp_path / "wrong.zip")), **at)
    assert wrong.returncode == 1
    assert (
        "version 2 is not proven, and live still serves version 1:\n"
        "  iris/2: 2 of 24 golden rows are answered differently: [2, 5]\n"
    ) in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert (served(url), emulator.live("versions")) == (1, "1")

    told = emulator.up(BUNDLE=str(second), **at)
    assert endpoint(told) == url
    assert "version 3 is live" in told
    assert (served(url), emulator.live("versions")) == (2, "3")

    back = emulator.command("rollback", STAGE="versions")
    assert back.returncode == 0, back.stderr
    assert "version 1 is live again, instead of 3: iris/1" in back.stdout
    assert back.stdout.splitlines()[1] == "it asks for no key: everybody may call"
    assert (served(url), emulator.live("versions")) == (1, "1")
    further = emulator.command("rollback", STAGE="versions")
    assert further.returncode == 1
    assert "there is no version before 1 to go back to" in further.stderr

    # What is deployed again unchanged is the same version; nothing of the rollback is undone
    # by a deployment that fails.
    again = emulator.up(BUNDLE=str(second), **at)
    assert served(url) == 2
    assert emulator.up(BUNDLE=str(second), **at).splitlines()[0] == again.splitlines()[0]
    for keys in (f"{KEYS},other:{'0' * 64}", f"other:{'0' * 64}"):
        emulator.up(BUNDLE=str(second), STAGE="versions", ONNXLET_API_KEYS=keys)
    back = emulator.command("rollback", STAGE="versions")
    assert back.stdout.splitlines()[1] == "its keys are live again: tester, other"
    assert emulator.command("remove", STAGE="versions").returncode == 0


def test_versions_that_nobody_needs_are_deleted(
    emulator: Emulator, first: Path, second: Path
) -> None:
    at = {"STAGE": "pruned", "OPEN": "1", "KEEP": "2"}
    for bundle in (first, second, first):
        emulator.up(BUNDLE=str(bundle), **at)
    assert emulator.versions("pruned") == ["2", "3"]
    assert emulator.live("pruned") == "3"
    assert emulator.command("rollback", STAGE="pruned").returncode == 0
    assert emulator.live("pruned") == "2"
    assert emulator.command("remove", STAGE="pruned").returncode == 0


def test_a_first_version_that_is_not_proven_is_not_reachable(
    emulator: Emulator, first: Path, tmp_path: Path
) -> None:
    wrong = altered(first, tmp_path / "wrong.zip")
    at = {"STAGE": "never", "OPEN": "1", "FUNCTION_URL": "1", "WARM_MINUTES": "5", "QUEUE": "1"}
    done = emulator.command("up", BUNDLE=str(wrong), **at)

    assert done.returncode == 1
    assert "version 1 is not proven, and nothing is served" in done.stderr
    assert not {"ApiUrl", "FunctionUrl"} & emulator.outputs("never").keys()
    assert mappings(emulator, "never") == []
    refused = emulator.command("invoke", STAGE="never", BODY=json.dumps(BODY))
    assert refused.returncode == 1
    assert "serves nothing yet" in refused.stderr

    assert "version 2 is live" in emulator.up(BUNDLE=str(first), **at)
    assert emulator.command("remove", STAGE="never").returncode == 0
    assert left_behind(emulator, "never") == {}


def test_everything_at_once(emulator: Emulator, first: Path) -> None:
    emulator.aws("sns", "create_topic", Name="alarms")
    [topic] = [t["TopicArn"] for t in emulator.aws("sns", "list_topics")["Topics"]]
    options = {
        "FUNCTION_URL": "1",
        "WARM_MINUTES": "5",
        "QUEUE": "1",
        "SNAPSTART": "1",
        "MEMORY": "2048",
        "TIMEOUT": "20",
        "LOG_DAYS": "7",
        "P99_MS": "250",
        "ALARM_TOPIC": topic,
        "ONNXLET_DEFAULT_MODEL": "iris",
        "ONNXLET_LOAD": "first-use",
        "ONNXLET_MAX_SECONDS": "",  # as a workflow sets what is no variable of GitHub
        "ONNXLET_READER_KEYS": "",
    }
    told = emulator.up(STAGE="all", BUNDLE=str(first), ONNXLET_API_KEYS=KEYS, **options)
    function = "onnxlet-all-predict"
    about = emulator.aws(
        "lambda", "get_function_configuration", FunctionName=function, Qualifier="1"
    )
    outputs = emulator.outputs("all")
    url = emulator.aws("lambda", "get_function_url_config", FunctionName=function, Qualifier="live")
    [rule] = emulator.aws("events", "list_rules", NamePrefix="onnxlet-all")["Rules"]
    [target] = emulator.aws("events", "list_targets_by_rule", Rule=rule["Name"])["Targets"]
    [mapping] = mappings(emulator, "all")
    alarms = emulator.aws("cloudwatch", "describe_alarms", AlarmNamePrefix="onnxlet-all")[
        "MetricAlarms"
    ]
    groups = emulator.aws("logs", "describe_log_groups")["logGroups"]

    assert f"function URL: {url['FunctionUrl']}" in told
    assert url["AuthType"] == "AWS_IAM"
    assert (about["MemorySize"], about["Timeout"]) == (2048, 20)
    assert about["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert about["LoggingConfig"]["LogFormat"] == "JSON"
    variables = about["Environment"]["Variables"]
    assert variables["ONNXLET_ANSWERS_QUEUE"] == outputs["AnswersQueueUrl"]
    assert variables["ONNXLET_API_KEYS"] == KEYS
    assert variables["ONNXLET_MAX_SECONDS"] == "19"
    assert "ONNXLET_READER_KEYS" not in variables
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(5 minutes)", "ENABLED")
    assert target["Arn"].endswith(f"{function}:live")
    assert mapping["FunctionArn"].endswith(f"{function}:live")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert {(each["MetricName"], each["Threshold"]) for each in alarms} == {
        ("Errors", 0),
        ("Throttles", 0),
        ("Duration", 250),
        ("ApproximateNumberOfMessagesVisible", 0),
    }
    assert all(each["AlarmActions"] == [topic] for each in alarms)
    assert {
        each["retentionInDays"] for each in groups if "onnxlet-all" in each["logGroupName"]
    } == {7}
    assert emulator.command("remove", STAGE="all").returncode == 0
    assert left_behind(emulator, "all") == {}


def test_the_schedule_keeps_it_warm(emulator: Emulator, first: Path) -> None:
    emulator.up(STAGE="warm", BUNDLE=str(first), OPEN="1")
    event = {"source": "aws.events", "detail-type": "Scheduled Event"}
    done = emulator.command("invoke", STAGE="warm", BODY=json.dumps(event))
    assert json.loads(done.stdout) == {"warm": ["iris"]}
    assert emulator.command("remove", STAGE="warm").returncode == 0


def test_a_graph_in_s3(emulator: Emulator, iris_models: Path, first: Path) -> None:
    emulator.aws("s3", "create_bucket", Bucket="graphs", CreateBucketConfiguration={
        "LocationConstraint": emulator.aws_region()})  # fmt: skip
    at = {"STAGE": "remote", "OPEN": "1", "MODELS": str(iris_models)}
    where = {"REMOTE": "iris", "MODELS_URL": "s3://graphs/some/prefix"}
    told = emulator.up(**at, **where)
    [stored] = emulator.aws("s3", "list_objects_v2", Bucket="graphs")["Contents"]
    policies = emulator.aws("iam", "list_role_policies", RoleName=role_of(emulator, "remote"))[
        "PolicyNames"
    ]

    assert re.fullmatch(r"some/prefix/iris/1/[0-9a-f]{64}\.onnx", stored["Key"])
    assert served(endpoint(told)) == 1
    assert set(policies) == {"log", "dead-letters", "models"}
    with zipfile.ZipFile("build/deploy/onnxlet-remote.zip") as archive:
        assert "models/iris/1/model.onnx" not in archive.namelist()
    assert emulator.command("remove", STAGE="remote").returncode == 0
    assert emulator.aws("s3", "list_objects_v2", Bucket="graphs")["KeyCount"] == 1


def role_of(emulator: Emulator, stage: str) -> str:
    about = emulator.aws(
        "lambda", "get_function_configuration", FunctionName=f"onnxlet-{stage}-predict"
    )
    name: str = about["Role"].rpartition("/")[2]
    return name


def test_what_was_packaged_elsewhere_deploys_by_the_line_it_printed(
    emulator: Emulator, first: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "my project" / "it's.zip"
    bundle.parent.mkdir()
    shutil.copyfile(first, bundle)

    done = emulator.shell(f"{deploy_line(bundle)} STAGE=elsewhere OPEN=1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert post(endpoint(done.stdout), BODY).json()["prediction"] == [2]
    removed = emulator.make("remove", "STAGE=elsewhere")
    assert removed.returncode == 0, removed.stderr
