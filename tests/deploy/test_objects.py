"""Objects in S3, deployed: a bucket reports them to EventBridge, and answers come beside."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT, ran
from tests.deploy.conftest import ROW
from tests.deploy.emulator import CREDENTIALS, DEPLOY, Emulator, clean_environ, post, wait_until
from tests.deploy.s3_calls import plain, results
from tests.deploy.test_deployments import endpoint, left_behind, received, role_of
from tests.function.aws.bucket import S3

pytestmark = pytest.mark.deploy

FROM, TO = "s3://rows/come/in/", "s3://rows/go/"
NAMES = ["x0", "x1", "x2", "x3"]
MANY = 120_000  # rows: more than a range of S3, and answers of more than a part


def test_our_s3_in_memory_is_like_one_that_speaks_http(emulator: Emulator) -> None:
    environ = clean_environ(
        emulator.home, AWS_DEFAULT_REGION=emulator.aws_region(), PYTHONPATH=str(ROOT), **CREDENTIALS
    )
    done = ran([DEPLOY, "-m", "tests.deploy.s3_calls", emulator.url], env=environ)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there == json.loads(json.dumps(list(results(S3(may_list=True))), default=plain))


@pytest.fixture(scope="module")
def bucket(emulator: Emulator) -> str:
    """A bucket that reports to EventBridge."""
    where = {"LocationConstraint": emulator.aws_region()}
    emulator.aws("s3", "create_bucket", Bucket="rows", CreateBucketConfiguration=where)
    emulator.aws(
        "s3",
        "put_bucket_notification_configuration",
        Bucket="rows",
        NotificationConfiguration={"EventBridgeConfiguration": {}},
    )
    return "rows"


def there(emulator: Emulator, key: str) -> bytes | None:
    """What is in the bucket, or None."""
    listed = emulator.aws("s3", "list_objects_v2", Bucket="rows", Prefix=key).get("Contents", ())
    if key not in [each["Key"] for each in listed]:
        return None
    return base64.b64decode(emulator.aws("s3", "get_object", Bucket="rows", Key=key)["Body"])


def test_objects_are_answered_as_they_come(emulator: Emulator, bucket: str, first: Path) -> None:
    options = {"STAGE": "objects", "BUNDLE": str(first), "OPEN": "1", "TIMEOUT": "120"}
    told = emulator.up(**options, SCORE_FROM=FROM, SCORE_TO=TO, ONNXLET_SCORE_KEEP="id")
    rows = np.random.default_rng(0).uniform(0, 8, (MANY, 4)).round(2).tolist()
    lines = [",".join(map(str, [number, *row])) for number, row in enumerate(rows)]
    content = "\n".join([",".join(["id", *NAMES]), *lines, "bad,wide,1,2,3"]).encode()
    emulator.put("rows", "come/in/a day/many.csv", content)
    emulator.put("rows", "come/in/some.parquet", b"PAR1")
    emulator.put("rows", "elsewhere/some.csv", content[:1000])
    answered = wait_until(lambda: there(emulator, "go/a day/many.csv"), 180)
    beside = wait_until(lambda: there(emulator, "go/a day/_many.csv.problems.jsonl"), 5)
    refused = wait_until(lambda: there(emulator, "go/_some.parquet.problems.jsonl"), 60)

    assert f"objects: {FROM}\ntheir answers: {TO}" in told
    header, *answers = list(csv.reader(io.StringIO(answered.decode())))
    assert header == ["id", "prediction", *(f"probabilities.{label}" for label in range(3))]
    assert [line[0] for line in answers] == [*map(str, range(MANY)), "bad"]
    assert answers[-1][1:] == [""] * 4
    assert len(answered) > 5 * 1024 * 1024
    assert [json.loads(line) for line in beside.splitlines()] == [
        {"row": MANY, "column": "x0", "detail": "expected a number, got 'wide'"}
    ]
    assert "onnxlet score MODEL 's3://rows/come/in/some.parquet' OUT" in refused.decode()
    # The same batch over HTTP: its text is that of the lines, digit by digit.
    over_http = post(endpoint(told), {"instances": rows[:10_000]}).body.decode()
    numbers = json.loads(over_http, parse_float=str, parse_int=str)
    expected = zip(numbers["prediction"], numbers["probabilities"], strict=True)
    assert [line[1:] for line in answers[:10_000]] == [[label, *row] for label, row in expected]
    listed = emulator.aws("s3", "list_objects_v2", Bucket=bucket, Prefix="go/")["Contents"]
    assert len(listed) == 3
    policies = emulator.aws("iam", "list_role_policies", RoleName=role_of(emulator, "objects"))
    assert set(policies["PolicyNames"]) == {"log", "dead-letters", "objects"}

    forgotten = emulator.command("up", **options)
    assert forgotten.returncode == 1
    assert f"SCORE_FROM: onnxlet-objects answers the objects of {FROM}" in forgotten.stderr
    emulator.up(**options, SCORE_FROM="none")
    assert "ObjectsFrom" not in emulator.outputs("objects")
    assert emulator.command("remove", STAGE="objects").returncode == 0
    assert left_behind(emulator, "objects") == {}
    assert there(emulator, "go/a day/many.csv") == answered  # what is the user's stays


def test_objects_that_a_queue_brings(emulator: Emulator, bucket: str, first: Path) -> None:
    """A message is what a bucket sends to a queue; one that can't be answered comes again."""
    options = {"STAGE": "by-queue", "BUNDLE": str(first), "OPEN": "1", "QUEUE": "1"}
    emulator.up(**options, SCORE_FROM="s3://rows/queued/", SCORE_TO="s3://rows/by-queue/")
    outputs = emulator.outputs("by-queue")
    emulator.put("rows", "queued/some.jsonl", json.dumps(ROW).encode())
    about = {"bucket": {"name": "rows"}, "object": {"key": "queued/some.jsonl"}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}
    entries = [
        {"Id": "object", "MessageBody": json.dumps({"Records": [record]})},
        {"Id": "request", "MessageBody": json.dumps({"instances": [ROW]})},
    ]
    emulator.aws("sqs", "send_message_batch", QueueUrl=outputs["RequestQueueUrl"], Entries=entries)

    answered = wait_until(lambda: there(emulator, "by-queue/some.jsonl"), 60)
    assert json.loads(answered)["prediction"] == 2
    [answer] = received(emulator, outputs["AnswersQueueUrl"], 1)
    assert json.loads(answer["Body"])["prediction"] == [2]
    assert emulator.command("remove", STAGE="by-queue").returncode == 0


def test_a_bucket_that_reports_nothing_is_refused(
    emulator: Emulator, bucket: str, first: Path
) -> None:
    where = {"LocationConstraint": emulator.aws_region()}
    emulator.aws("s3", "create_bucket", Bucket="silent", CreateBucketConfiguration=where)
    options = {"STAGE": "silent", "BUNDLE": str(first), "OPEN": "1", "SCORE_TO": TO}
    told = {
        "s3://silent/in/": "expected bucket silent to send its events to EventBridge",
        "s3://not-there/in/": "expected bucket not-there, and to see what it reports, got:",
        "s3://away/in/": (
            f"SCORE_FROM: expected a bucket in {emulator.aws_region()}, as its events reach "
            "nothing elsewhere, got away in eu-west-1; set AWS_REGION"
        ),
    }
    where = {"LocationConstraint": "eu-west-1"}
    there = {"Bucket": "away", "CreateBucketConfiguration": where}
    emulator.aws("s3", "create_bucket", in_region="eu-west-1", **there)
    for score_from, expected in told.items():
        done = emulator.command("up", SCORE_FROM=score_from, **options)
        assert done.returncode == 1
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
