"""What is missing is reported at once, with a way out, and before anything is done."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran
from tests.deploy.conftest import bundled
from tests.deploy.emulator import CREDENTIALS, DEPLOY, Emulator, clean_environ
from tests.project.commands import free_port
from tools.deploy.lock import alone
from tools.deploy.options import NOT_HANDED_ON

pytestmark = pytest.mark.deploy

DIGEST = hashlib.sha256(b"key").hexdigest()
Refused = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Runs a command that should do nothing: its exit code, and the lines that it printed."""

    def run(command: str = "up", folder: Path = ROOT, **options: str) -> tuple[int, list[str]]:
        away = {"AWS_EC2_METADATA_DISABLED": "true"}  # no machine of Amazon's is asked
        done = ran(
            [str(DEPLOY), "-m", "tools.deploy", command],
            cwd=folder,
            env=clean_environ(tmp_path, **away, **options),
        )
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr.splitlines()

    return run


def test_values_that_can_t_be(refused: Refused) -> None:
    code, lines = refused(
        STAGE="My Stage", MEMORY="big", TIMEOUT="0", QUEUE="yes", LOG_DAYS="8", WARM_MINUTES="1",
        MODELS_URL="https://bucket", REMOTE="iris", ALARM_TOPIC="alarms", CONCURRENCY="0",
        ONNXLET_MAX_ROWS="many", ONNXLET_API_KEYS="me:short", ONNXLET_MODLES="x",
    )  # fmt: skip

    assert code == 2
    assert lines[0] == "error: 12 things are missing or wrong"
    assert lines[1] == "  STAGE: expected 1 to 20 of a-z, 0-9 and -, a letter first, got 'My Stage'"
    assert "  MEMORY: expected a whole number from 128 to 10240, got 'big'" in lines
    assert "  WARM_MINUTES: expected 0, or a whole number from 2 to 59, got '1'" in lines
    assert "  MODELS_URL: expected s3://BUCKET/PREFIX, got 'https://bucket'" in lines
    assert any("did you mean ONNXLET_MODELS?" in line for line in lines)
    assert not any("short" in line for line in lines)  # it may be the key itself
    assert lines[-1] == "hint: docs/how-to/deploy.md lists the options."


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"REMOTE": "iris"}, "REMOTE and MODELS_URL: expected both or neither, got one"),
        ({"MODELS_URL": "s3://b-b/p"}, "REMOTE and MODELS_URL: expected both or neither, got one"),
        (
            {"REMOTE": "iris", "MODELS_URL": "s3://b-b/p", "BUNDLE": "x.zip"},
            "REMOTE and BUNDLE: expected one; a bundle says itself which graphs it lacks",
        ),
        (
            {"SNAPSTART": "1", "PYTHON_VERSION": "3.11"},
            "SNAPSTART: expected Python 3.12 or newer, got PYTHON_VERSION=3.11",
        ),
        (
            {"SCORE_FROM": "s3://b-b"},
            "SCORE_FROM: expected s3://BUCKET/PREFIX/, or none, got 's3://b-b'",
        ),
        (
            {"SCORE_TO": "s3://b-b/a*/", "SCORE_FROM": "none"},
            "SCORE_TO: expected s3://BUCKET/PREFIX/, or none, got 's3://b-b/a*/'",
        ),
        (
            {"SCORE_FROM": "s3://b-b/a"},
            "ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO: expected both or neither, got one",
        ),
        (
            {"SCORE_FROM": "s3://b-b/a/", "SCORE_TO": "s3://b-b/a/b"},
            "ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO: expected two prefixes, neither within the "
            "other, got s3://b-b/a/ and s3://b-b/a/b/",
        ),
        ({"SNAPSTART": "1", "TMP_MB": "600"}, "SNAPSTART: expected TMP_MB=512, got TMP_MB=600"),
    ],
)
def test_values_that_don_t_go_together(
    options: dict[str, str], told: str, refused: Refused
) -> None:
    code, lines = refused(**options)
    assert (code, lines[1]) == (2, f"  {told}")


def test_settings_that_would_be_dropped(refused: Refused) -> None:
    formed = {
        "ONNXLET_MODELS_URL": "s3://b-b/p",
        "ONNXLET_SCORE_FROM": "s3://b-b/come/",
        "ONNXLET_SCORE_TO": "s3://b-b/go/",
        "ONNXLET_ANSWERS_QUEUE": "https://sqs.example.com/answers",
    }
    code, lines = refused(**dict.fromkeys(NOT_HANDED_ON, "5") | formed)
    assert code == 1
    told = [line.split(":")[0].strip() for line in lines if "does not reach the function" in line]
    assert told == [*NOT_HANDED_ON]
    assert any(line.endswith(": set QUEUE=1") for line in lines)
    code, lines = refused("rollback", ONNXLET_KEEP="x.db")
    assert "ONNXLET_KEEP" not in "".join(lines), "only a deployment would drop it"


def test_a_default_model_that_is_not_in_it(
    refused: Refused, first: Path, iris_models: Path
) -> None:
    for option in ({"BUNDLE": str(first)}, {"MODELS": str(iris_models)}):
        code, lines = refused(OPEN="1", ONNXLET_DEFAULT_MODEL="irsi", **option)
        assert code == 1
        assert "  ONNXLET_DEFAULT_MODEL: expected one of iris, got 'irsi'" in lines
        _, lines = refused(OPEN="1", ONNXLET_DEFAULT_MODEL="iris", **option)
        assert "DEFAULT_MODEL" not in "".join(lines)


@pytest.mark.parametrize("command", ["up", "remove"])
def test_one_deployment_at_a_time(command: str, refused: Refused) -> None:
    with alone():
        code, lines = refused(command, OPEN="1")
    assert (code, lines) == (
        1,
        [
            f"error: another deployment or removal is under way in {ROOT}",
            "hint: Try again when it is over, or from another checkout.",
        ],
    )
    _, lines = refused(command, OPEN="1")
    assert "under way" not in "".join(lines)


def test_nothing_is_there(refused: Refused, tmp_path: Path) -> None:
    copy = tmp_path / "clone"
    for package in ("tools", "onnxlet", "function", "convert", "edge", "requirements"):
        shutil.copytree(
            ROOT / package,
            copy / package,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    code, lines = refused(folder=copy)

    assert code == 1
    assert lines[0] == "error: 6 things are missing or wrong"
    assert lines[1] == f"  osls: expected it in node_modules, got none; run npm ci in {copy}"
    assert lines[2] == "  packaging: expected .venv, got none; run make setup"
    assert lines[3] == "  MODELS: expected model directories in 'models', got none; run make model"
    assert lines[4] == "  AWS region: expected AWS_REGION, or a region in your profile, got none"
    assert lines[5].startswith("  AWS credentials: expected some, got none; set AWS_PROFILE, or ")
    assert lines[6].startswith("  API keys: expected ONNXLET_API_KEYS=name:sha256-hex, or ")
    assert lines[6].endswith("OPEN=1 where the endpoint is meant to be public; got none")


def test_no_credentials(refused: Refused, first: Path) -> None:
    code, lines = refused(BUNDLE=str(first), OPEN="1", AWS_REGION="eu-west-1")
    assert code == 1
    assert lines[1] == (
        "  AWS credentials: expected some that AWS takes, got: Unable to locate credentials; "
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def test_a_bundle_for_something_else(refused: Refused, tmp_path: Path) -> None:
    bundle = tmp_path / "old.zip"
    about = {"format": 1, "python": "3.11", "arch": "aarch64", "models": {"iris": 1}}
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("bundle.json", json.dumps(about))

    code, lines = refused(
        BUNDLE=str(bundle), SNAPSTART="1", PYTHON_VERSION="3.12", ARCH="x86_64", OPEN="1"
    )

    assert code == 1
    assert lines[1:4] == [
        f"  PYTHON_VERSION: expected 3.11, which '{bundle}' is for, got 3.12",
        f"  ARCH: expected aarch64, which '{bundle}' is for, got x86_64",
        f"  SNAPSTART: expected Python 3.12 or newer, got '{bundle}' for 3.11",
    ]


def test_a_bundle_that_the_emulator_can_t_run(refused: Refused, first: Path) -> None:
    with zipfile.ZipFile(first) as archive:
        about = json.loads(archive.read("bundle.json"))
    other = {"aarch64": "x86_64", "x86_64": "aarch64"}[about["arch"]]
    bundle = first.with_name("other.zip")
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("bundle.json", json.dumps(about | {"arch": other, "python": "3.9"}))
    url = f"http://127.0.0.1:{free_port()}"

    code, lines = refused(BUNDLE=str(bundle), OPEN="1", AWS_ENDPOINT_URL=url)

    told = "  BUNDLE: expected one for the emulator's {}, got {}; make package {}={}, or deploy "
    assert code == 1
    for key, got, option in (("python", "3.9", "PYTHON_VERSION"), ("arch", other, "ARCH")):
        line = told.format(about[key], got, option, about[key])
        assert f"{line}without BUNDLE" in lines
    # Who says so has an emulator of another kind; on AWS each has its own processors.
    named = {"ARCH": other, "PYTHON_VERSION": "3.13"}
    assert "emulator's" not in "".join(
        refused(BUNDLE=str(bundle), AWS_ENDPOINT_URL=url, **named)[1]
    )
    assert "emulator's" not in "".join(refused(BUNDLE=str(bundle), OPEN="1")[1])


def test_a_bundle_that_is_none(refused: Refused, tmp_path: Path) -> None:
    bundle = tmp_path / "none.zip"
    bundle.write_text("x")
    code, lines = refused(BUNDLE=str(bundle), OPEN="1")
    assert (code, lines[0]) == (1, "error: 3 things are missing or wrong")
    told = f"  BUNDLE: '{bundle}' is no bundle: File is not a zip file; run make package"
    assert lines[1] == told


def test_a_profile_that_is_not_there(refused: Refused) -> None:
    code, lines = refused(AWS_PROFILE="nobody")
    assert code == 1
    assert "  AWS_PROFILE: The config profile (nobody) could not be found" in lines
    assert any(line.startswith("  API keys: expected") for line in lines), "all else is told, too"
    for command in ("rollback", "logs", "invoke", "remove"):
        code, lines = refused(command, AWS_PROFILE="nobody")
        assert (code, lines[1]) == (
            1,
            "  AWS_PROFILE: The config profile (nobody) could not be found",
        )


def test_a_bundle_without_its_graphs_needs_to_know_where_they_go(
    refused: Refused, tmp_path: Path
) -> None:
    bundle = tmp_path / "large.zip"
    about = {"format": 1, "python": "3.13", "arch": "aarch64", "models": {"iris": 1}}
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("bundle.json", json.dumps(about | {"remote": ["iris"]}))
    code, lines = refused(BUNDLE=str(bundle), OPEN="1")
    assert code == 1
    told = f"since '{bundle}' lacks the graphs of iris; got none"
    assert f"  MODELS_URL: expected s3://BUCKET/PREFIX, {told}" in lines


def test_an_emulator_that_is_not_there(refused: Refused, first: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, lines = refused(BUNDLE=str(first), OPEN="1", AWS_ENDPOINT_URL=url)
    assert code == 1
    assert url in lines[1]
    assert lines[1].endswith("; start one: make emulator")


def test_credentials_are_made_up_only_for_this_machine(refused: Refused, first: Path) -> None:
    url = f"http://onnxlet.invalid:{free_port()}"
    options = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1"}
    code, lines = refused(BUNDLE=str(first), OPEN="1", **options)
    assert (code, "Unable to locate credentials" in lines[1]) == (1, True)
    _, lines = refused(BUNDLE=str(first), OPEN="1", **options, **CREDENTIALS)
    assert lines[1].startswith("  AWS: expected an answer, got none: ")


def test_no_npm(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "package-lock.json", tmp_path)
    for folder in ("tools", "onnxlet"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for tool in ("sh", "sed", "grep"):
        (tmp_path / "bin" / tool).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    done = ran(
        [shutil.which("make") or "make", "node_modules/.package-lock.json"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "bin")},
    )
    assert done.returncode == 2
    assert "error: npm: expected Node.js 20.19 or newer with npm, got none\n" in done.stderr
    assert "hint: install Node.js 22" in done.stderr


@pytest.mark.parametrize("command", ["rollback", "logs", "invoke"])
def test_nothing_is_deployed(command: str, emulator: Emulator) -> None:
    done = emulator.command(command, STAGE="nothing", BODY="[]")
    assert done.returncode == 1
    assert done.stderr == (
        "error: nothing is deployed as onnxlet-nothing\nhint: make deploy STAGE=nothing\n"
    )


def test_keys_in_parameter_store(emulator: Emulator, first: Path) -> None:
    def put(value: str) -> None:
        emulator.aws(
            "ssm", "put_parameter", Name="/keys", Value=value, Type="SecureString", Overwrite=True
        )

    at = {"STAGE": "stored", "BUNDLE": str(first), "API_KEYS_SSM": "/keys"}
    missing = emulator.command("up", **at)
    assert (missing.returncode, "expected /keys in Parameter Store" in missing.stderr) == (1, True)
    put("the key itself")
    wrong = emulator.command("up", **at)
    assert (wrong.returncode, "expected name:sha256-hex" in wrong.stderr) == (1, True)
    assert "the key itself" not in wrong.stderr
    put(f"me:{DIGEST}")
    both = emulator.command("up", **at, OPEN="1")
    assert (both.returncode, "expected one of them, got more" in both.stderr) == (1, True)
    emulator.up(**at)
    function = "onnxlet-stored-predict"
    before = emulator.live("stored")
    put(f"me:{DIGEST},you:{'0' * 64}")
    emulator.up(**at)
    about = emulator.aws(
        "lambda", "get_function_configuration", FunctionName=function, Qualifier="live"
    )

    assert (before, emulator.live("stored")) == ("1", "2")
    assert about["Environment"]["Variables"]["ONNXLET_API_KEYS"].endswith("0" * 64)
    assert emulator.command("remove", STAGE="stored").returncode == 0


def test_a_bucket_that_is_not_there(emulator: Emulator, iris_models: Path) -> None:
    done = emulator.command(
        "up", STAGE="lost", OPEN="1", MODELS=str(iris_models), REMOTE="iris",
        MODELS_URL="s3://nobody-has-it/graphs",
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: AWS: Failed to upload" in done.stderr
    assert "NoSuchBucket" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_whose_graphs_are_nowhere(
    emulator: Emulator, iris_models: Path, tmp_path: Path
) -> None:
    bundle = bundled(iris_models, tmp_path / "remote.zip", "--remote", "iris")
    at = {"STAGE": "nowhere", "OPEN": "1", "BUNDLE": str(bundle), "MODELS": str(tmp_path)}
    unsaid = emulator.command("up", **at)
    assert (unsaid.returncode, "lacks the graphs of iris" in unsaid.stderr) == (1, True)
    lost = emulator.command("up", **at, MODELS_URL="s3://a-bucket/graphs")
    assert lost.returncode == 1
    assert f"expected the bundle's graph '{tmp_path}/iris/1/model.onnx', got none" in lost.stderr


def test_a_body_that_is_no_json(emulator: Emulator) -> None:
    done = emulator.command("invoke", STAGE="none", BODY="{")
    assert done.returncode == 2
    assert "BODY: expected JSON, got something else" in done.stderr
