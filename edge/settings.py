"""The environment variables of devices, `ONNXLET_DEVICE_*`. docs/device.md has the same table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from function.errors import SettingsError
from function.settings import DEVICE_PREFIX as PREFIX


@dataclass(frozen=True)
class DeviceSettings:
    """What the environment says of this device, checked.

    Attributes:
        host: to listen on.
        port: to listen on.
        tls_cert: the server's certificate, with those that it is signed by; None means no TLS.
        tls_key: its key.
        open: whoever reaches it may ask, without a key, beyond this machine too.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tls_cert: Path | None = None
    tls_key: Path | None = None
    open: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> DeviceSettings:
        """Read the variables.

        Raises:
            SettingsError: naming every variable that can't be used, not the first alone.
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

        settings = cls(
            host=get("HOST", r"[^\s/]+", "an address or a name") or cls.host,
            port=int(get("PORT", PORT, "a port from 0 to 65535") or cls.port),
            tls_cert=path("TLS_CERT"),
            tls_key=path("TLS_KEY"),
            open=get("OPEN", "yes|no", "yes or no") == "yes",
        )
        for name in sorted(name for name in environ if name.startswith(PREFIX)):
            if name.removeprefix(PREFIX) not in known:
                close = get_close_matches(name.removeprefix(PREFIX), known, 1)
                hint = f" (did you mean {PREFIX}{close[0]}?)" if close else ""
                faults.append(f"{name}: unknown variable{hint}")
        if faults:
            raise SettingsError("; ".join(faults), "docs/device.md lists the variables.")
        return settings


PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}"
