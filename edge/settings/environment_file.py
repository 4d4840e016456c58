"""The settings of the device that is installed here, from its environment file and this process.

The file is parsed as systemd does, whose services get their settings from it.

The rules are those of `EnvironmentFile=` (man systemd.exec; src/basic/env-file.c), not a shell's:
quotes count only at a value's beginning, nothing is expanded, and inner spaces are kept.
A comment ends with its line, as since systemd 254; before, a backslash continued it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

KEY = re.compile(r"[ \t\n\r]*(?:[#;][^\n\r]*|([^ \t\n\r][^=\n\r]*))")  # or a comment
QUOTED = re.compile(r"""[ \t]*(?:'([^']*)(?:'|\Z)|"((?:\\[\s\S]|[^"\\])*)(?:"|\\?\Z))""")
BARE = re.compile(r"[ \t]*((?:\\[\s\S]|[^\\\n\r])*?)(?:[ \t]*(?=[\n\r]|\Z)|\\\Z)")
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
OTHER_BYTES = re.compile("[\udc80-\udcff]")
NONE = "\0"  # where the value of a line without = would be; systemd takes no such value
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read_environment_file(path: Path) -> dict[str, str]:
    """The variables that a service gets from it; the last one of a name counts.

    Raises OSError where it can't be read, SettingsError where systemd would not start a service
    with it.
    """
    return parse(path.read_bytes(), path)


def parse(content: bytes, path: Path) -> dict[str, str]:
    """Parse a file's content; the path is for messages."""
    found = _assignments(content.decode("utf-8", "surrogateescape"))  # comments may be anything
    odd = [
        line for line, name, value in found if value != NONE and OTHER_BYTES.search(name + value)
    ]
    if odd or b"\0" in content:
        where = f"line {', '.join(map(str, odd))}: " if odd else ""
        raise SettingsError(
            f"{path}: {where}expected UTF-8, got other bytes",
            "systemd starts no service with it. Save it as UTF-8.",
        )
    values = {name: value for _, name, value in found if value != NONE}
    return {n: value for n, value in values.items() if _is_taken(n, value)}


def _is_taken(name: str, value: str) -> bool:
    """Whether systemd takes it; it ignores others, and logs that."""
    return bool(NAME.fullmatch(name)) and not CONTROL.search(value)


def _fault(name: str, value: str) -> str:
    if value == NONE:
        return "no ="
    if NAME.fullmatch(name):
        return "a control character in the value"
    return "'export' before the name" if name.startswith("export ") else "another kind of name"


def ignored_lines(path: Path) -> list[str]:
    """The lines that no service gets, each with what is expected; none of a file that is unread.

    Nothing of a line is shown: where `=` was forgotten, it is a secret perhaps.
    """
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, PermissionError):
        return []
    return [
        f"line {line}: expected NAME=VALUE, got {_fault(name, value)}"
        for line, name, value in _assignments(text)
        if not _is_taken(name, value)
    ]


def _assignments(text: str) -> list[tuple[int, str, str]]:
    """The line number, name and value of each assignment; NONE for a line that is none."""
    found, at = list[tuple[int, str, str]](), 0
    while key := KEY.match(text, at):
        at = key.end()
        if key[1] is not None:
            value = NONE
            if text[at : at + 1] == "=":
                value, at = _value(text, at + 1)
            found.append((text.count("\n", 0, key.start(1)) + 1, key[1].rstrip(" \t"), value))
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins at an index, and its end's: quoted parts, then a bare one."""
    parts = []
    while quoted := QUOTED.match(text, at):
        single, double = quoted.groups()
        parts.append(re.sub(r"\\([\s\S])", _in_quotes, double) if single is None else single)
        at = quoted.end()
    if bare := BARE.match(text, at):
        parts.append(re.sub(r"\\([\s\S])", lambda e: e[1].strip("\n\r"), bare[1]))
        at = bare.end()
    return "".join(parts), at


def _in_quotes(escaped: re.Match[str]) -> str:
    if escaped[1] in '"\\`$':
        return escaped[1]
    return "" if escaped[1] == "\n" else escaped[0]


def service_environ(paths: DevicePaths, own: Mapping[str, str]) -> dict[str, str]:
    """The service's variables, from its file; this process's own ones override them.

    SettingsError is raised where the file can't be used.
    """
    values: dict[str, str] = {}
    with suppress(FileNotFoundError, PermissionError):  # systemd has read it for its services
        values = read_environment_file(paths.environment)
    ours = {name: value for name, value in values.items() if name.startswith("ONNXLET_")}
    return {**ours, **own}


def device_settings(paths: DevicePaths) -> DeviceSettings:
    """This device's settings; SettingsError is raised where a variable is invalid."""
    return DeviceSettings.from_environ(service_environ(paths, os.environ))


def pins_of(paths: DevicePaths) -> Mapping[str, str]:
    """By model, the version or alias that the service must serve."""
    variable = "ONNXLET_SERVE"
    with suppress(SettingsError):  # the service does not start then, but updates go on
        text = service_environ(paths, os.environ).get(variable, "")
        return Settings.from_environ({variable: text}).pins
    return {}
