"""The environment variables of devices, `ONNXLET_DEVICE_*`: all of them stand in one table here.

docs/reference/settings.md lists them for their readers.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from onnxlet.folders import documented
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import DEFAULT_MODELS, Settings, unknown
from onnxlet.function.settings import DEVICE_PREFIX as PREFIX

Inputs = Literal["none", "hash", "all"]

PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}"
HOST = rf"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:({PORT}))?"
LOOPBACK = rf"(localhost|127(\.[0-9]{{1,3}}){{3}}|\[::1\])(:({PORT}))?"
PATH, LEVELS = '(/[!-"$-~]*)?', r"/[^\s#+]+"  # of an address: of a page, of a topic
FORWARD_URL = "|".join((
    f"https://{HOST}{PATH}", f"mqtts://{HOST}{LEVELS}", f"http://{LOOPBACK}{PATH}",
    f"mqtt://{LOOPBACK}{LEVELS}",
))  # fmt: skip
TOPIC = r"[^#+\s$][^#+]*"
ANY_FILTER = r"#|([^#+/]*|\+)(/([^#+/]*|\+))*(/#)?"
FILTER = r"(#|(?!\$)([^#+,/]*|\+)(/([^#+,/]*|\+))*(/#)?)"

KEYS = ".keys"  # in a folder of models, what `onnxlet key` writes; no model has such a name


class Variable(NamedTuple):
    """How a variable is read."""

    form: str  # a regular expression of the whole text
    expected: str  # the same in words
    read: Callable[[str], Any] = str  # the value; ValueError where there is none


def _command(text: str) -> str:
    shlex.split(text)
    return text


WORD = Variable("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits, '.', '_' and '-'")
FILE = Variable("/.+", "an absolute path", Path)
SWITCH = Variable("yes|no", "yes or no", lambda text: text == "yes")
WHOLE = Variable("[1-9][0-9]{0,5}", "a whole number of at least 1", int)
ONE_TOPIC = Variable(TOPIC, "a topic without + and #")
# By the name behind the prefix, in the order in which faults are reported. FORWARD_X and QUEUE are
# of ForwardOptions, MQTT_X is of MqttOptions, X of DeviceSettings; the fields' defaults are there.
VARIABLES = {
    "HOST": Variable(r"[^\s/]+", "an address or a name"),
    "PORT": Variable(PORT, "a port from 0 to 65535", int),
    "WORKERS": Variable("[0-9]{1,3}", "a whole number from 0 to 999", int),
    "TLS_CERT": FILE,
    "TLS_KEY": FILE,
    "OPEN": SWITCH,
    "ID": Variable(r"\S{1,200}", "a word"),
    "NAME": WORD,
    "CHANNEL": WORD,
    "UPDATE_URL": Variable(r"https?://\S+|s3://\S+|/.+", "https://, s3:// or a path"),
    "RESTART": Variable(".+", "a command", _command),
    "API_KEY": Variable(r"\S+", "a word"),
    "MAX_BUNDLE_BYTES": Variable("[1-9][0-9]{0,14}", "a number of bytes", int),
    "FORWARD_CA": FILE,
    "FORWARD_URL": Variable(
        FORWARD_URL, "https://HOST/PATH or mqtts://HOST/TOPIC (without TLS only to this machine)"
    ),
    "FORWARD_KEY": Variable(".+", "one line"),
    "FORWARD_USER": Variable(r"[^\s:]+", "a name"),
    "FORWARD_INPUTS": Variable("none|hash|all", "none, hash or all"),
    "FORWARD_MAX_MB": WHOLE,
    "FORWARD_MAX_DAYS": WHOLE,
    "FORWARD_DURABLE": SWITCH,
    "FORWARD_SECONDS": WHOLE,
    "QUEUE": FILE,
    "MQTT_CA": FILE,
    "MQTT_RESPONSES": Variable(
        rf"{FILTER}( *, *{FILTER})*", "filters of topics, with commas between",
        lambda text: tuple(filter(None, map(str.strip, text.split(",")))),
    ),
    "MQTT_URL": Variable(
        f"mqtts://{HOST}|mqtt://{LOOPBACK}",
        "mqtts://HOST[:PORT], or mqtt:// to this machine, without user, path or slash behind it",
    ),
    "MQTT_USER": Variable(r"\S+", "a name"),
    "MQTT_PASSWORD": Variable(".+", "a password"),
    "MQTT_CLIENT": Variable("[0-9A-Za-z._-]{1,64}", "letters, digits, . _ -"),
    "MQTT_READINGS": Variable(
        ANY_FILTER, "a topic, or a filter: + for one whole level, # for all at the end"
    ),
    "MQTT_ANSWERS": ONE_TOPIC,
    "MQTT_MODEL": Variable("[0-9A-Za-z._-]+", "a model's name"),
    "MQTT_BACKLOG": Variable("[1-9][0-9]{0,4}", "a number from 1 to 65535", int),
    "MQTT_DISCOVERY": Variable(TOPIC, ONE_TOPIC.expected, lambda text: text.strip("/")),
}  # fmt: skip


class ForwardOptions(NamedTuple):
    """The settings of store and forward."""

    url: str = ""  # of the receiver; empty means that nothing is kept and nothing sent
    key: str = ""  # sent as a bearer token, or as MQTT's password
    user: str = ""  # MQTT's user name
    ca: Path | None = None  # CA certificates that sign the receiver's; None means the system's
    inputs: Inputs = "none"  # what is kept of the rows beside the answers
    max_mb: int = 100  # megabytes (of 1,000,000 bytes) that the queue may take on the disk
    max_days: int = 30  # that a record is kept, counting days on which the device was on
    durable: bool = True  # an answer is sent only once its record is on the disk
    seconds: float = 10  # between two rounds of sending
    queue: Path = Path("/var/lib/onnxlet/state/queue.db")  # the database


class MqttOptions(NamedTuple):
    """The settings of MQTT."""

    url: str = ""  # of the broker
    user: str = ""
    password: str = ""
    ca: Path | None = None  # CA certificates that sign the broker's; None means the system's
    # The client's id, under which the broker keeps unacknowledged messages; empty for one that is
    # derived from the machine's id.
    client: str = ""
    readings: str = ""  # topic, or filter of topics, that readings are published to
    answers: str = ""  # topic of answers to readings that name no other
    model: str = ""  # that answers readings that name none
    backlog: int = 100  # readings that may wait in this process
    # Filters of the topics that a reading may name for its answer, beside `answers` and those below
    # it: it is published with this device's rights, not its sender's.
    responses: tuple[str, ...] = ()
    discovery: str = ""  # prefix of the topics of Home Assistant's discovery; empty where it is off


NO_FORWARDING, NO_MQTT = ForwardOptions(), MqttOptions()


@dataclass(frozen=True)
class DeviceSettings:
    """A device's settings, validated."""

    host: str = "127.0.0.1"  # to listen on, with the port
    port: int = 8080
    tls_cert: Path | None = None  # the server's certificate chain; None means no TLS
    tls_key: Path | None = None
    open: bool = False  # everybody may send requests without a key, from other machines, too
    id: str = ""  # of this device, instead of its machine id
    name: str = "onnxlet"  # that releases for this device are made for
    channel: str = "stable"  # whose releases are taken
    update_url: str = ""  # of the releases, or their folder
    restart: str = "systemctl restart onnxlet"  # restarts the service, and returns once it has
    api_key: str = ""  # of the service, to request golden rows with after an update
    max_bundle_bytes: int = 200_000_000  # of an archive; its files may have four times as many
    forward: ForwardOptions = NO_FORWARDING  # whether predictions are kept and sent on, and how
    mqtt: MqttOptions = NO_MQTT  # the broker that readings come from
    workers: int = 1  # processes that serve; 0 is one for each core

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> DeviceSettings:
        """Read the variables; SettingsError names every invalid one, not only the first."""
        faults: list[str] = []
        values: dict[str, dict[str, Any]] = {"": {}, "FORWARD": {}, "MQTT": {}}
        for name, variable in VARIABLES.items():
            text = environ.get(PREFIX + name, "").strip()
            if not text:
                continue
            expected = f"{PREFIX}{name}: expected {variable.expected}, got '{text[:80]}'"
            if not re.fullmatch(variable.form, text):
                faults.append(expected)
                continue
            group, field = _field(name)
            try:
                values[group][field] = variable.read(text)
            except ValueError as error:
                faults.append(f"{expected}: {error}")
        faults += unknown(environ, [PREFIX + name for name in VARIABLES], PREFIX)
        if faults:
            every = f"The variables are {', '.join(PREFIX + name for name in sorted(VARIABLES))}."
            every *= any("unknown variable" in fault for fault in faults)
            hint = documented("docs/reference/settings.md lists the variables.", every)
            raise SettingsError("; ".join(faults), hint)
        forward, mqtt = ForwardOptions(**values["FORWARD"]), MqttOptions(**values["MQTT"])
        return cls(forward=forward, mqtt=mqtt, **values[""])


def _field(name: str) -> tuple[str, str]:
    """The group of a variable and the field in it."""
    group, _, field = name.partition("_")
    if group in ("FORWARD", "MQTT"):
        return group, field.lower()
    return ("FORWARD", "queue") if name == "QUEUE" else ("", name.lower())


@contextmanager
def checked_link(name: str, options: ForwardOptions | MqttOptions, whose: str) -> Iterator[None]:
    """Raise SettingsError where a link's CA certificates can't be read, or its URL has no address.

    The link is one to whose certificate these are, by the variables of this name.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}{name}_CA: {options.ca} can't be read: {error}",
            f"It should hold the CA certificates for the {whose}'s certificate, in PEM.",
        ) from error
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{name}_URL: {options.url}: {error}") from error


def models_folder(
    option: Path | None, environ: Mapping[str, str], settings: Settings | None = None
) -> Path:
    """The folder of model directories that a command uses: an option's, else ONNXLET_MODELS.

    By default a bundle's own models, wherever the command is run; in a checkout, `models` in the
    current folder, where `build` writes. SettingsError is raised where a variable is invalid; one
    who has read the settings already passes them.
    """
    set_to = (settings or Settings.from_environ(environ)).models
    if option is not None or environ.get("ONNXLET_MODELS"):
        return option or set_to
    bundled = (DEFAULT_MODELS.parent / "bundle.json").is_file()
    return DEFAULT_MODELS if bundled else Path("models").absolute()


def reached_at(host: str) -> str:
    """The address at which programs of this machine reach a server that listens on a host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def in_url(host: str) -> str:
    """The same, as a URL has it."""
    host = reached_at(host)
    return f"[{host}]" if ":" in host else host
