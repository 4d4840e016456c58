"""The environment variables of devices, `ONNXLET_DEVICE_*`; docs/how-to/device.md lists them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxlet.edge.settings.forward import NO_FORWARDING, ForwardOptions, read_forward_options
from onnxlet.edge.settings.mqtt import NO_MQTT, MqttOptions, read_mqtt_options
from onnxlet.folders import documented
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import DEFAULT_MODELS, Settings, unknown
from onnxlet.function.settings import DEVICE_PREFIX as PREFIX

WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


@dataclass(frozen=True)
class DeviceSettings:
    """A device's settings, validated.

    Attributes:
        host: to listen on.
        port: to listen on.
        tls_cert: the server's certificate chain; None means no TLS.
        tls_key: its key.
        open: everybody may send requests without a key, from other machines, too.
        id: of this device, instead of its machine id.
        name: that releases for this device are made for.
        channel: whose releases are taken.
        update_url: of the releases, or their folder.
        restart: the command that restarts the service, and returns once it has.
        api_key: a key of the service, to request golden rows with after an update.
        max_bundle_bytes: of an archive; its files may have four times as many.
        forward: whether predictions are kept and sent on, and where to.
        mqtt: the broker that readings come from.
        workers: processes that serve; 0 is one for each core.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tls_cert: Path | None = None
    tls_key: Path | None = None
    open: bool = False
    id: str = ""
    name: str = "onnxlet"
    channel: str = "stable"
    update_url: str = ""
    restart: str = "systemctl restart onnxlet"
    api_key: str = ""
    max_bundle_bytes: int = 200_000_000
    forward: ForwardOptions = NO_FORWARDING
    mqtt: MqttOptions = NO_MQTT
    workers: int = 1

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> DeviceSettings:
        """Read the variables.

        Raises:
            SettingsError: naming every invalid variable, not only the first.
        """
        faults: list[str] = []
        known: list[str] = []

        def get(name: str, pattern: str, expected: str) -> str:
            known.append(name)
            text = environ.get(PREFIX + name, "").strip()
            if text and not re.fullmatch(pattern, text):
                faults.append(f"{PREFIX}{name}: expected {expected}, got '{text[:80]}'")
                return ""
            return text

        def path(name: str) -> Path | None:
            text = get(name, "/.+", "an absolute path")
            return Path(text) if text else None

        def command(name: str) -> str:
            text = get(name, ".+", "a command")
            try:
                shlex.split(text)
            except ValueError as error:
                faults.append(f"{PREFIX}{name}: expected a command, got '{text[:80]}': {error}")
            return text

        settings = cls(
            host=get("HOST", r"[^\s/]+", "an address or a name") or cls.host,
            port=int(get("PORT", PORT, "a port from 0 to 65535") or cls.port),
            workers=int(
                get("WORKERS", "[0-9]{1,3}", "a whole number from 0 to 999") or cls.workers
            ),
            tls_cert=path("TLS_CERT"),
            tls_key=path("TLS_KEY"),
            open=get("OPEN", "yes|no", "yes or no") == "yes",
            id=get("ID", r"\S{1,200}", "a word"),
            name=get("NAME", WORD, "letters, digits, '.', '_' and '-'") or cls.name,
            channel=get("CHANNEL", WORD, "letters, digits, '.', '_' and '-'") or cls.channel,
            update_url=get("UPDATE_URL", r"https?://\S+|s3://\S+|/.+", "https://, s3:// or a path"),
            restart=command("RESTART") or cls.restart,
            api_key=get("API_KEY", r"\S+", "a word"),
            max_bundle_bytes=int(
                get("MAX_BUNDLE_BYTES", "[1-9][0-9]{0,14}", "a number of bytes")
                or cls.max_bundle_bytes
            ),
            forward=read_forward_options(get),
            mqtt=read_mqtt_options(get),
        )
        ours = (name for name in environ if name.startswith(PREFIX))
        faults += unknown(ours, [PREFIX + name for name in known], PREFIX)
        if faults:
            hint = documented(
                "docs/how-to/device.md lists the variables.",
                f"The variables are {', '.join(PREFIX + name for name in sorted(known))}.",
            )
            raise SettingsError("; ".join(faults), hint)
        return settings


def models_folder(
    given: Path | None, environ: Mapping[str, str], settings: Settings | None = None
) -> Path:
    """The folder of model directories that a command uses.

    Args:
        given: by an option, which overrides ONNXLET_MODELS, which overrides the default.
        environ: the environment variables.
        settings: what they say, where that was read already.

    Returns:
        By default a bundle's own models, wherever the command is run; in a checkout, `models` in
        the current folder, where `build` writes.

    Raises:
        SettingsError: a variable is invalid.
    """
    set_to = (settings or Settings.from_environ(environ)).models
    if given is not None or environ.get("ONNXLET_MODELS"):
        return given or set_to
    bundled = (DEFAULT_MODELS.parent / "bundle.json").is_file()
    return DEFAULT_MODELS if bundled else Path("models").absolute()


def reached_at(host: str) -> str:
    """The address at which programs of this machine reach a server that listens on a host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def in_url(host: str) -> str:
    """The same, as a URL has it."""
    host = reached_at(host)
    return f"[{host}]" if ":" in host else host


PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}"
