"""A device's environment file, as systemd reads it: by a table, and by asking its library."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import (
    ignored_lines,
    parse,
    read_environment_file,
    service_environ,
)
from onnxlet.function.errors import SettingsError
from tests.conftest import ran

# What follows `A=`, and what systemd 257 makes of it.
VALUES = {
    "it's": "it's",
    'say "no"': 'say "no"',
    r"a  b\c": "a  bc",
    " both  ends \t": "both  ends",
    "a#b;c": "a#b;c",
    "$HOME `id` ~ *": "$HOME `id` ~ *",
    "'a  b' \"c\"d e": "a  bcd e",
    r"'it\s'": r"it\s",
    r'"\" \\ \` \$ \n \a"': r'" \ ` $ \n \a',
    r"\'\"\ ": "'\" ",
    "a\\\n  b": "a  b",
    "'a\nb'": "a\nb",
    '"a\\\nb"': "ab",
    "a\rB=x": "a",
    "": "",
    "ü€": "ü€",
    "'has no end": "has no end\n",
}
LIBRARY = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))
# Written as `NAME=VALUE` texts by systemd's own reader; a number where it refuses the file.
ASK = """
import ctypes, json, os, sys
load = ctypes.CDLL(sys.argv[1]).load_env_file
texts = ctypes.POINTER(ctypes.c_char_p)
load.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(texts)]
every = []
for content in json.load(sys.stdin):
    file = os.memfd_create("environment")
    os.write(file, content.encode("latin-1"))
    found, reported = texts(), []
    code = load(None, f"/proc/self/fd/{file}".encode(), ctypes.byref(found))
    os.close(file)
    while code >= 0 and found and found[len(reported)] is not None:
        reported.append(found[len(reported)].decode())
    every.append(code if code < 0 else reported)
print(json.dumps(every))
"""


def reported(folder: Path, content: bytes) -> dict[str, str]:
    (folder / "environment").write_bytes(content)
    return read_environment_file(folder / "environment")


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=[repr(text) for text in VALUES])
def test_a_value(tmp_path: Path, text: str, value: str) -> None:
    assert reported(tmp_path, f"A={text}\n".encode())["A"] == value


def test_names_and_comments(tmp_path: Path) -> None:
    content = b"# A=1 \\\n;B=2\n\n C =3\nD\nexport E=4\n2F=5\nG=6\nG=7\r\n# \xfc\nH\t= 8"
    assert reported(tmp_path, content) == {"C": "3", "G": "7", "H": "8"}
    assert reported(tmp_path, b"A='\x01'\nB='a\rb'\nC='a\tb'\n") == {"C": "a\tb"}, (
        "systemd drops them"
    )
    assert reported(tmp_path, b"") == {}


@pytest.mark.parametrize(
    ("content", "where"), [(b"A=1\nB=\xfc\n\xfc=1", "line 2, 3: "), (b"A=1\n#\0\n", "")]
)
def test_what_systemd_starts_no_service_with(tmp_path: Path, content: bytes, where: str) -> None:
    with pytest.raises(SettingsError, match=f"environment: {where}expected UTF-8"):
        reported(tmp_path, content)


@pytest.mark.skipif(not LIBRARY, reason="needs systemd's library")
def test_systemd_itself_reads_the_same() -> None:
    chance, letters = random.Random(15), [*"AB=='\"\\ \t\n\n\r#;$`é\0", "B=", "\nC="]  # noqa: S311
    made = ["".join(chance.choices(letters, k=chance.randrange(24))) for _ in range(3000)]
    contents = [f"A={text}\n" for text in VALUES] + [f"A={text}" for text in made]
    done = ran(
        [sys.executable, "-c", ASK, LIBRARY[-1]],
        input=json.dumps([each.encode().decode("latin-1") for each in contents]),
        check=True,
    )
    for content, theirs in zip(contents, json.loads(done.stdout), strict=True):
        if isinstance(theirs, int):
            with pytest.raises(SettingsError):
                parse(content.encode(), Path("environment"))
            continue
        pairs = (each.partition("=")[::2] for each in theirs if not each.startswith("="))
        named = {name: value for name, value in pairs if name.isascii() and name.isidentifier()}
        plain = {name: value for name, value in named.items() if "\r" not in value}
        assert parse(content.encode(), Path("environment")) == plain, repr(content)


def test_a_device_s_settings_are_what_its_service_gets(tmp_path: Path) -> None:
    paths = DevicePaths(tmp_path)
    paths.settings.mkdir(parents=True)
    lines = "ONNXLET_DEVICE_MQTT_PASSWORD=it's\nONNXLET_API_KEYS=a  b\\c\nHOME=/x\n"
    paths.environment.write_text(lines)
    assert service_environ(paths, {"PATH": "/bin"}) == {
        "ONNXLET_DEVICE_MQTT_PASSWORD": "it's", "ONNXLET_API_KEYS": "a  bc", "PATH": "/bin",
    }  # fmt: skip
    assert service_environ(DevicePaths(tmp_path / "nowhere"), {}) == {}


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("ONNXLET_API_KEYS s3cret", "no ="),
        ("ONNXLET_API_KEYS: s3cret", "no ="),
        ("ONNXLET_API_KEYSs3cret", "no ="),
        ("s3cret", "no ="),
        ("ONNXLET_DEVICE_API_KEY s3cret==", "another kind of name"),
        ("export ONNXLET_API_KEYS=s3cret", "'export' before the name"),
        ("ONNXLET_API_KEYS='s3cret\x01'", "a control character in the value"),
    ],
)
def test_a_line_that_is_ignored_is_named_and_not_shown(tmp_path: Path, line: str, got: str) -> None:
    (tmp_path / "environment").write_text(f"A=1\n{line}\n")
    [fault] = ignored_lines(tmp_path / "environment")
    assert fault == f"line 2: expected NAME=VALUE, got {got}"


def test_an_unterminated_command_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"DEVICE_RESTART: expected a command.*No closing quot"):
        DeviceSettings.from_environ({"ONNXLET_DEVICE_RESTART": "it's"})
