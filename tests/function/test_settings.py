"""The environment variables, and the reference's table of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function.errors import ModelError, SettingsError
from onnxlet.function.models.repository import Repository
from onnxlet.function.settings import DEFAULT_MODELS, Settings
from tests.conftest import ROOT

DIGEST = hashlib.sha256(b"key").hexdigest()
OTHER = hashlib.sha256(b"other key").hexdigest()


def test_defaults() -> None:
    assert Settings.from_environ({}) == Settings(
        models=Path("models"),
        default_model=None,
        api_keys={},
        max_body_bytes=6 * 1024 * 1024,
        max_unpacked_bytes=24 * 1024 * 1024,
        max_rows=10_000,
        threads=1,
        max_seconds=30,
        max_in_flight=256,
        cors_origins=frozenset(),
        reload_seconds=2,
    )
    assert Path("models") == DEFAULT_MODELS


def test_everything_set() -> None:
    settings = Settings.from_environ(
        {
            "ONNXLET_MODELS": "/there",
            "ONNXLET_DEFAULT_MODEL": "a",
            "ONNXLET_API_KEYS": f"one:{DIGEST}, two:{DIGEST.upper()},",
            "ONNXLET_READER_KEYS": f"three:{OTHER}",
            "ONNXLET_MAX_BODY_BYTES": "1000",
            "ONNXLET_MAX_UNPACKED_BYTES": "4000",
            "ONNXLET_MAX_ROWS": "7",
            "ONNXLET_MAX_PIXELS": "1000",
            "ONNXLET_THREADS": "2",
            "ONNXLET_MAX_SECONDS": "9",
            "ONNXLET_MAX_IN_FLIGHT": "8",
            "ONNXLET_CORS_ORIGINS": "https://a.example, http://localhost:3000",
            "ONNXLET_RELOAD_SECONDS": "0",
            "ONNXLET_HOSTS": "Models.example, pi.lan,",
            "ONNXLET_LOG": "errors",
            "ONNXLET_LOG_SUCCESSES": "100",
            "ONNXLET_KEEP": "state/kept.db",
            "ONNXLET_KEEP_MB": "20",
            "ONNXLET_KEEP_DAYS": "365",
        }
    )

    digest = bytes.fromhex(DIGEST)
    assert settings == Settings(
        models=Path("/there"),
        default_model="a",
        api_keys={"one": digest, "two": digest},
        reader_keys={"three": bytes.fromhex(OTHER)},
        max_body_bytes=1000,
        max_unpacked_bytes=4000,
        max_rows=7,
        max_pixels=1000,
        threads=2,
        max_seconds=9,
        max_in_flight=8,
        cors_origins=frozenset({"https://a.example", "http://localhost:3000"}),
        reload_seconds=0,
        hosts=frozenset({"models.example", "pi.lan"}),
        log="errors",
        log_successes=100,
        keep=Path("state/kept.db"),
        keep_mb=20,
        keep_days=365,
    )


@pytest.mark.parametrize(
    ("reader", "what"), [(f"one:{OTHER}", "'one'"), (f"two:{DIGEST}", "the digest of 'two'")]
)
def test_no_key_predicts_and_reads(reader: str, what: str) -> None:
    keys = {"ONNXLET_API_KEYS": f"one:{DIGEST}", "ONNXLET_READER_KEYS": reader}
    with pytest.raises(
        SettingsError, match=f"^ONNXLET_READER_KEYS: {what} is in ONNXLET_API_KEYS, too"
    ):
        Settings.from_environ(keys)


@pytest.mark.parametrize("wrong", ["me", "me:12", ",", f"me:{DIGEST},me:{DIGEST}"])
def test_a_wrong_key_for_reading_is_named(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"^ONNXLET_READER_KEYS: "):
        Settings.from_environ({"ONNXLET_READER_KEYS": wrong})


@pytest.mark.parametrize(
    ("clients", "readers", "expected"), [(4, 0, 0), (5, 0, 5), (30, 0, 5), (5, 1, 0), (0, 0, 0)]
)
def test_clients_read_where_they_are_five(clients: int, readers: int, expected: int) -> None:
    keys = [{str(n): bytes([n]) * 32 for n in range(size)} for size in (clients, readers)]
    assert Settings(api_keys=keys[0], reader_keys=keys[1]).block_keys == expected


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(
            {
                "ONNXLET_API_KEYS": f"plain,one:{DIGEST},one:{DIGEST},:{DIGEST}",
                "ONNXLET_MAX_ROWS": "many",
                "ONNXLET_THREADS": "0",
                "ONNXLET_MAX_BODY_BYTES": "-1",
                "ONNXLET_RELOAD_SECONDS": "x",
                "ONNXLET_CORS_ORIGINS": "*, example.com, https://a.example/path, https://b.example",
                "ONNXLET_HOSTS": "*, pi.lan, pi.lan:8080",
                "ONNXLET_LOG": "none",
                "ONNXLET_LOG_SUCCESSES": "0",
                "ONNXLET_API_KEY": f"one:{DIGEST}",
                "ONNXLET_WHATEVER": "",
                "HOME": "/",
            }
        )

    faults = caught.value.message.split("; ")
    assert [fault.split(":")[0] for fault in faults] == [
        "ONNXLET_API_KEYS",
        "ONNXLET_API_KEYS",
        "ONNXLET_API_KEYS",
        "ONNXLET_MAX_BODY_BYTES",
        "ONNXLET_MAX_ROWS",
        "ONNXLET_THREADS",
        "ONNXLET_CORS_ORIGINS",
        "ONNXLET_CORS_ORIGINS",
        "ONNXLET_CORS_ORIGINS",
        "ONNXLET_HOSTS",
        "ONNXLET_HOSTS",
        "ONNXLET_LOG",
        "ONNXLET_LOG_SUCCESSES",
        "ONNXLET_RELOAD_SECONDS",
        "ONNXLET_API_KEY",
        "ONNXLET_WHATEVER",
    ]
    assert faults[-2:] == [
        "ONNXLET_API_KEY: unknown variable (did you mean ONNXLET_API_KEYS?)",
        "ONNXLET_WHATEVER: unknown variable",
    ]


def of_service(name: str) -> dict[str, str]:
    """What Kubernetes (kubelet's envvars.go) sets for a Service with one named port."""
    host, port = "10.96.0.7", "80"
    link = f"{name}_PORT_{port}_TCP"
    return {
        f"{name}_SERVICE_HOST": host,
        f"{name}_SERVICE_PORT": port,
        f"{name}_SERVICE_PORT_HTTP": port,
        f"{name}_PORT": f"tcp://{host}:{port}",
        link: f"tcp://{host}:{port}",
        f"{link}_PROTO": "tcp",
        f"{link}_PORT": port,
        f"{link}_ADDR": host,
    }


@pytest.mark.parametrize("service", ["ONNXLET", "ONNXLET_CANARY", "ONNXLET_DEVICE_7"])
def test_what_kubernetes_sets_for_a_service_is_passed_over(service: str) -> None:
    pod = of_service("KUBERNETES") | of_service(service)
    assert Settings.from_environ(pod) == Settings()
    assert DeviceSettings.from_environ(pod) == DeviceSettings()
    del pod["KUBERNETES_SERVICE_HOST"]
    read = DeviceSettings if "DEVICE" in service else Settings
    with pytest.raises(SettingsError) as caught:
        read.from_environ(pod)
    assert caught.value.message.count("unknown variable") == len(of_service(service))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONNXLET_API_KEY", f"one:{DIGEST}"),
        ("ONNXLET_PORT", "8080"),
        ("ONNXLET_SERVICE_HOST", "models.example"),
        ("ONNXLET_SERVICE_PORT", "http"),
        ("ONNXLET_PORTS", "tcp://10.0.0.1:80"),
        ("ONNXLET_READER_KEYS_PORT_8_ICMP", ""),
    ],
)
def test_what_is_misspelt_in_a_pod_is_still_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: unknown variable"):
        Settings.from_environ(of_service("KUBERNETES") | {name: value})


def test_neither_digest_nor_key_is_repeated_in_a_message() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"ONNXLET_API_KEYS": f"one:{DIGEST}f, secret"})

    form = (
        "ONNXLET_API_KEYS: expected name:sha256-hex, 64 characters behind the colon, got an entry"
    )
    assert caught.value.message.split("; ") == [
        f"{form} named 'one' with 65 characters behind a colon",
        f"{form} without a colon",
    ]


@pytest.mark.parametrize(
    ("name", "bad", "expected"),
    [
        ("ONNXLET_LOAD", "later", "expected start or first-use, got 'later'"),
        ("ONNXLET_MODELS_URL", "https://example.com/x", "expected s3://BUCKET/PREFIX"),
        ("ONNXLET_MODELS_URL", "s3:///prefix", "expected s3://BUCKET/PREFIX"),
        ("ONNXLET_ANSWERS_QUEUE", "answers", "expected a queue's URL, got 'answers'"),
        ("ONNXLET_SCORE_FROM", "https://example.com/x", "expected s3://BUCKET/PREFIX/"),
        ("ONNXLET_SCORE_TO", "s3://Bucket/", "expected s3://BUCKET/PREFIX/"),
        ("ONNXLET_EMF_NAMESPACE", "a b", "expected a CloudWatch namespace, got 'a b'"),
    ],
)
def test_texts_of_a_form(name: str, bad: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_environ({name: bad})
    assert expected in caught.value.message
    assert Settings.from_environ({name: " "}) == Settings()


def test_the_lambda_settings_are_read() -> None:
    read = Settings.from_environ(
        {
            "ONNXLET_LOAD": "first-use",
            "ONNXLET_MODELS_URL": "s3://bucket/some/prefix",
            "ONNXLET_ANSWERS_QUEUE": "https://sqs.example.com/1/answers.fifo",
            "ONNXLET_EMF_NAMESPACE": "onnxlet-dev",
            "ONNXLET_SCORE_FROM": "s3://bucket/new rows",
            "ONNXLET_SCORE_TO": "s3://bucket/answers/",
            "ONNXLET_SCORE_KEEP": "id, the day",
        }
    )
    assert read.lazy
    assert read.models_url == "s3://bucket/some/prefix"
    assert read.answers_queue == "https://sqs.example.com/1/answers.fifo"
    assert read.metrics_namespace == "onnxlet-dev"
    assert (read.score_from, read.score_to) == ("s3://bucket/new rows/", "s3://bucket/answers/")
    assert read.score_keep == ("id", "the day")
    assert not Settings.from_environ({"ONNXLET_LOAD": "start"}).lazy


@pytest.mark.parametrize(
    ("score_from", "score_to", "expected"),
    [
        ("s3://one/a", "", "expected both or neither, got one"),
        ("", "s3://one/a", "expected both or neither, got one"),
        ("s3://one/a/", "s3://one/a/b/", "neither within the other"),
        ("s3://one/a/b", "s3://one/a", "neither within the other"),
        ("s3://one/a", "s3://one/a/", "neither within the other"),
        ("s3://one", "s3://one/a", "neither within the other"),
        ("s3://one/a", "s3://one/ab", None),
        ("s3://one/", "s3://one-more/", None),
        ("s3://one/a/", "s3://two/a/", None),
    ],
)
def test_answers_never_come_in_again(score_from: str, score_to: str, expected: str | None) -> None:
    environ = {"ONNXLET_SCORE_FROM": score_from, "ONNXLET_SCORE_TO": score_to}
    if expected is None:
        Settings.from_environ(environ)
        return
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    assert caught.value.message.startswith("ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO: ")
    assert expected in caught.value.message


def test_the_reference_lists_them_all() -> None:
    source = (ROOT / "function" / "settings.py").read_text()
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text()

    in_code = set(re.findall(r"ONNXLET_[A-Z_]+", source))
    in_table = set(re.findall(r"^\| `(ONNXLET_(?!DEVICE_)[A-Z_]+)`", reference, re.MULTILINE))
    assert in_code == in_table


def test_the_numbers_that_the_reference_has_are_the_defaults() -> None:
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text()
    listed = re.findall(
        r"^\| `ONNXLET_([A-Z_]+)` \|.*\| (\d+)\b(?!\.)[^|]*\|$", reference, re.MULTILINE
    )
    device = DeviceSettings()
    groups = {
        "forward_": device.forward._asdict(),
        "mqtt_": device.mqtt._asdict(),
        "": vars(device),
    }
    usual = Settings()._asdict() | {
        f"device_{group}{name}": value
        for group, values in groups.items()
        for name, value in values.items()
    }
    assert {name: int(number) for name, number in listed} == {
        name: usual[name.lower()] for name, _ in listed
    }
    assert len(listed) > 15


def test_no_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no models in .*: expected NAME/VERSION/manifest\.json"):
        Repository(tmp_path)
    with pytest.raises(ModelError, match=r"no models in .*: there is no such folder"):
        Repository(tmp_path / "nowhere")


@pytest.mark.parametrize("part", ["iris", "iris/1"])
def test_a_model_where_its_folder_is_meant_is_refused(part: str, models: Path) -> None:
    with pytest.raises(ModelError, match="it is a model itself") as caught:
        Repository(models / part)

    assert caught.value.hint == f"Serve {models}."


def test_an_unknown_default_model_is_an_error(models: Path) -> None:
    with pytest.raises(ModelError, match="no model 'nope'"):
        Repository(models, default="nope")
