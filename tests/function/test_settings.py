"""The environment variables, and the README's table of them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from function.errors import ModelError, SettingsError
from function.repository import Repository
from function.settings import DEFAULT_MODELS, Settings
from tests.conftest import ROOT

DIGEST = hashlib.sha256(b"key").hexdigest()


def test_defaults() -> None:
    assert Settings.from_environ({}) == Settings(
        models=ROOT / "models",
        default_model=None,
        api_keys={},
        max_body_bytes=6 * 1024 * 1024,
        max_rows=10_000,
        threads=1,
    )
    assert DEFAULT_MODELS == ROOT / "models"


def test_everything_set() -> None:
    settings = Settings.from_environ(
        {
            "ONNXLET_MODELS": "/there",
            "ONNXLET_DEFAULT_MODEL": "a",
            "ONNXLET_API_KEYS": f"one:{DIGEST}, two:{DIGEST.upper()},",
            "ONNXLET_MAX_BODY_BYTES": "1000",
            "ONNXLET_MAX_UNPACKED_BYTES": "4000",
            "ONNXLET_MAX_ROWS": "7",
            "ONNXLET_THREADS": "2",
        }
    )

    digest = bytes.fromhex(DIGEST)
    assert settings == Settings(
        Path("/there"), "a", {"one": digest, "two": digest}, 1000, 4000, 7, 2
    )


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(
            {
                "ONNXLET_API_KEYS": f"plain,one:{DIGEST},one:{DIGEST},:{DIGEST}",
                "ONNXLET_MAX_ROWS": "many",
                "ONNXLET_THREADS": "0",
                "ONNXLET_MAX_BODY_BYTES": "-1",
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
    ]


def test_a_digest_is_never_repeated_in_a_message() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"ONNXLET_API_KEYS": f"one:{DIGEST}f"})

    assert DIGEST not in str(caught.value)


def test_the_readme_lists_them_all() -> None:
    source = (ROOT / "function" / "settings.py").read_text()
    readme = (ROOT / "README.md").read_text()

    in_code = set(re.findall(r"ONNXLET_[A-Z_]+", source))
    in_table = set(re.findall(r"^\| `(ONNXLET_[A-Z_]+)`", readme, re.MULTILINE))
    assert in_code == in_table


def test_no_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no models in"):
        Repository(tmp_path)
    with pytest.raises(ModelError, match="no models in"):
        Repository(tmp_path / "nowhere")


def test_an_unknown_default_model_is_an_error(models: Path) -> None:
    with pytest.raises(ModelError, match="no model 'nope'"):
        Repository(models, default="nope")
