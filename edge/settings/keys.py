"""API keys that `onnxlet key` makes: their digests lie where the server of this machine reads them.

That is the environment file of a device, or of another server a file in its folder of models, in
the same form. A key itself is nowhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

from onnxlet.edge.device.slots import write_durably
from onnxlet.edge.settings.environment_file import parse
from onnxlet.function.errors import SettingsError, WrongUse
from onnxlet.function.files import LINK, NO_FILE, open_file
from onnxlet.function.model_files import read_within
from onnxlet.function.settings import WORD, Settings

PREDICTS, READS = "ONNXLET_API_KEYS", "ONNXLET_READER_KEYS"
KNOWN = (f"{PREDICTS}=".encode(), f"{READS}=".encode())  # as lines begin


def make_key(name: str, file: Path, variable: str = PREDICTS, replace: bool = False) -> str:
    """A new key, whose digest the file has from now on under this name.

    Args:
        name: shown in the server's log for each request that has the key.
        file: of the form that systemd reads; it is made where there is none, for its owner only.
        variable: of the keys that predict, or of those that read figures on rows.
        replace: the name may have a key of that sort already, which is no longer taken then.

    Raises:
        WrongUse: the name can't be one, has a key already, or there is no folder for the file.
        SettingsError: what the file has can't be used.
        OSError: it can't be read or written.
    """
    if not re.fullmatch(WORD, name):
        raise WrongUse(
            f"NAME: expected letters, digits, '.', '_' and '-', 100 at most, got {name[:40]!r}",
            "It is shown in the log, so name who sends the key: onnxlet key kitchen-display.",
        )
    if not file.parent.is_dir():
        hint = "Name the folder of models: --models DIR."
        raise WrongUse(f"there is no folder '{file.parent}'", hint)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:  # of two keys that are made at once, both are kept
        fcntl.flock(folder, fcntl.LOCK_EX)
        content, there = _content(file)
        kept = as_variables(_read(content, file))
        for each, text in kept.items():
            if f",{name}:" in f",{text}" and not (replace and each == variable):
                hint = "A lost key can't be found again: --replace makes another."
                hint = hint if each == variable else "One key doesn't do both: take another name."
                raise WrongUse(f"NAME: '{name}' has a key already, in {each} of {file}", hint)
        key = secrets.token_urlsafe(32)
        others = [one for one in kept[variable].split(",") if not one.startswith(f"{name}:")]
        value = ",".join([*filter(None, others), text_of(name, key)])
        mode = stat.S_IMODE(there.st_mode) if there else 0o600
        of = there or file.parent.stat()  # by root for whoever serves
        owner = (of.st_uid, of.st_gid) if os.geteuid() == 0 else None
        write_durably(file, _with_line(content, variable, value, file), mode, owner)
    finally:
        os.close(folder)
    return key


def _content(file: Path) -> tuple[bytes, os.stat_result | None]:
    """What a file holds, and whose it is; nothing where it is not there.

    WrongUse is raised where it is a link: in somebody else's folder it may lead anywhere.
    """
    try:
        opened = open_file(file)
    except FileNotFoundError:
        return b"", None
    except OSError as error:
        if error.strerror not in (LINK, NO_FILE):
            raise
        got = "got a link" if error.strerror == LINK else NO_FILE
        hint = "Put the file itself there."
        raise WrongUse(f"{file}: expected a file, {got}", hint) from error
    with os.fdopen(opened, "rb") as held:
        return held.read(), os.fstat(held.fileno())


def text_of(name: str, key: str) -> str:
    """A key as the variables have it."""
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def with_kept_keys(file: Path, settings: Settings) -> Settings:
    """The settings of a server, with the keys that were made for it in such a file.

    SettingsError is raised where they can't be read, or there are none: without them the server
    would be open.
    """
    try:
        content = read_within(file.parent, file.name)  # a mount's own links stay in it
    except OSError as error:
        hint = "Let the user that serves read it (chmod 644: it has digests only), or remove it."
        raise SettingsError(f"{file}: {error.strerror}", hint) from error
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip() and not line.startswith((b"#", b";", *KNOWN)):
            raise SettingsError(
                f"{file}: line {number}: expected {PREDICTS}=NAME:DIGEST or {READS}=NAME:DIGEST",
                "`onnxlet key NAME` writes it. Mend the line, or remove the file.",
            )
    kept = _read(content, file)
    if not (kept.api_keys or kept.reader_keys):
        raise SettingsError(f"{file}: there is no key in it", "Make one, or remove the file.")
    for name, (sort, digest) in _sorts(kept).items():
        if _sorts(settings).get(name, (sort, digest)) != (sort, digest):
            raise SettingsError(
                f"{file}: '{name}' has another key in the environment", "Take one of them out."
            )
    return settings._replace(
        api_keys={**settings.api_keys, **kept.api_keys},
        reader_keys={**settings.reader_keys, **kept.reader_keys},
    )


def _sorts(settings: Settings) -> dict[str, tuple[str, bytes]]:
    """By its name, which variable a key belongs to, and its digest."""
    every = {PREDICTS: settings.api_keys, READS: settings.reader_keys}
    return {name: (n, digest) for n, keys in every.items() for name, digest in keys.items()}


def as_variables(settings: Settings) -> dict[str, str]:
    """The keys of settings, as the environment has them."""
    every = {PREDICTS: settings.api_keys, READS: settings.reader_keys}
    return {n: ",".join(f"{k}:{d.hex()}" for k, d in keys.items()) for n, keys in every.items()}


def _read(content: bytes, file: Path) -> Settings:
    values = parse(content, file)
    try:
        return Settings.from_environ({n: values.get(n, "") for n in (PREDICTS, READS)})
    except SettingsError as error:
        raise SettingsError(f"{file}: {error.message}", error.hint) from None


def _with_line(content: bytes, variable: str, value: str, file: Path) -> bytes:
    """A file's content with another value of a variable: of its lines the last one counts."""
    plain = re.compile(rb"%b=[^'\"\\]*" % variable.encode())
    lines = [line for line in content.splitlines() if not plain.fullmatch(line)]
    made = b"\n".join([*lines, f"{variable}={value}".encode(), b""])
    if parse(made, file) != {**parse(content, file), variable: value}:  # after an open quote
        raise SettingsError(f"{file}: a line in it has no end", "Mend its last lines.")
    return made
