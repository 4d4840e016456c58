"""The environment variables, which only this module reads: docs/reference/settings.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from onnxlet.folders import ROOT, documented
from onnxlet.function.errors import SettingsError

PREFIX = "ONNXLET_"
MAX_PIXELS = 25_000_000  # of an image, unless ONNXLET_MAX_PIXELS says otherwise
DEVICE_PREFIX = f"{PREFIX}DEVICE_"  # of what only a device reads (edge/settings/device.py)
RUNTIME, LIBRARY, PACKAGE = "ONNXLET_RUNTIME", "library", "package"  # and what it may be
WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # a model's name
BLOCK_KEYS = 5  # whose rows figures are of where clients read them: docs/how-to/drift.md
ALIAS = rf"(?![0-9]+\Z){WORD}"  # a version's; not compiled at the start, since few have any
# What Kubernetes sets in each pod for each Service: its address, and each of its ports.
CLUSTER = "KUBERNETES_SERVICE_HOST"
OF_SERVICE = (
    r"[A-Z0-9_]+_(SERVICE_(HOST=[0-9a-f.:]+|PORT(_[A-Z0-9_]+)?=[0-9]+)|PORT=[a-z]+://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=.*)"
)
# Origins as browsers send them: scheme, host in lower case, and a port that is not usual.
ORIGIN, AN_ORIGIN = r"https?://[a-z0-9.:\[\]-]+", "an origin like https://example.com"
HOST, A_HOST = (
    r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?",
    "a name like models.example, without a port",
)
# A bundle has its own models; a command elsewhere takes those of the current folder.
DEFAULT_MODELS = (ROOT if (ROOT / "bundle.json").exists() else Path()) / "models"


class Settings(NamedTuple):
    """What the environment says, checked."""

    models: Path = DEFAULT_MODELS  # folder of model directories
    default_model: str | None = None  # served where a request names none, or None
    # Of models by name the version, or its alias, that is served where none is named.
    pins: Mapping[str, str] = {}
    # SHA-256 digest of each accepted key, by the key's name; empty means open.
    api_keys: Mapping[str, bytes] = {}
    # The same of keys that read, figures on rows among it, and don't predict.
    reader_keys: Mapping[str, bytes] = {}
    # The same of this process's own, which predict and read.
    own_keys: Mapping[str, bytes] = {}
    owned: bool = False  # whoever asks without a key is the server's owner, and may read
    max_body_bytes: int = 6 * 1024 * 1024  # largest request body
    max_unpacked_bytes: int = 24 * 1024 * 1024  # largest request body once it is unpacked
    max_rows: int = 10_000  # largest batch
    max_pixels: int = MAX_PIXELS  # of the largest image
    threads: int = 1  # threads inside one ONNX Runtime session; more than one changes last digits
    max_seconds: float = 30  # longest time from a request's coming to its answer
    max_in_flight: int = 256  # requests that are answered at once; further ones are refused
    cors_origins: frozenset[str] = frozenset()  # origins whose pages may call; none by default
    # Names that requests may have in `Host`, beside localhost and addresses; None is any, but none
    # on a server that listens on loopback.
    hosts: frozenset[str] | None = None
    log: str = "all"  # which lines are written: off, errors (refusals, too) or all
    log_successes: int = 1  # one of so many answered requests is in the log
    reload_seconds: int = 2  # between two scans of the models' folder, on servers; 0 means never
    lazy: bool = False  # load a model when its first request comes, not at the start
    # `s3://bucket/prefix` of graphs that are not in their directories, or None.
    models_url: str | None = None
    # URL of the SQS queue that answers to queued requests go to, or None.
    answers_queue: str | None = None
    # `s3://bucket/prefix/` of objects that are answered as they come, or None.
    score_from: str | None = None
    score_to: str | None = None  # the same of their answers
    score_keep: tuple[str, ...] = ()  # columns of these objects that go along with the answers
    metrics_namespace: str | None = None  # of the CloudWatch metrics in Lambda's log lines, or None
    # Whether rows unlike the training rows are marked: off (where asked for), on, or refuse.
    unusual: str = "off"
    # Count what comes in and goes out of models, against their reference statistics.
    watch: bool = True
    # Database that a server keeps answers in until their truth comes, or None.
    keep: Path | None = None
    keep_mb: int = 100  # megabytes (of 1,000,000 bytes) that it may take
    keep_days: int = 90  # that an answer or a truth is kept

    @property
    def block_keys(self) -> int:
        """How many keys figures are of, which all clients may then read; 0: only readers may."""
        return BLOCK_KEYS if len(self.api_keys) >= BLOCK_KEYS and not self.reader_keys else 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the `ONNXLET_*` variables; raises SettingsError naming all that can't be used."""
        faults: list[str] = []
        known: set[str] = set()

        def get(name: str) -> str:
            known.add(name)
            return environ.get(name, "")

        def whole(name: str, default: int, least: int = 1) -> int:
            text = get(name).strip()
            if not text:
                return default
            if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < least:
                faults.append(f"{name}: expected a whole number of at least {least}, got '{text}'")
                return default
            return int(text)

        def shaped(name: str, pattern: str, expected: str) -> str | None:
            text = get(name).strip()
            if text and not re.fullmatch(pattern, text):
                faults.append(f"{name}: expected {expected}, got '{text[:80]}'")
            return text or None

        def every(
            name: str, pattern: str, expected: str, prepared: Callable[[str], str] = str
        ) -> frozenset[str]:
            found = frozenset(_entries(prepared(get(name))))
            odd = sorted(each for each in found if not re.fullmatch(pattern, each))
            faults.extend(f"{name}: expected {expected}, got '{each[:80]}'" for each in odd)
            return found

        def prefix(name: str) -> str | None:
            url = shaped(name, r"s3://[a-z0-9.-]{3,63}(/.*)?", "s3://BUCKET/PREFIX/")
            return url if url is None or url.endswith("/") else f"{url}/"

        usual = cls()
        keep = get("ONNXLET_KEEP").strip()
        score_from, score_to = prefix("ONNXLET_SCORE_FROM"), prefix("ONNXLET_SCORE_TO")
        faults += _places(score_from, score_to)
        shaped(RUNTIME, f"{LIBRARY}|{PACKAGE}", f"{LIBRARY} or {PACKAGE}")  # `by_package` reads it
        settings = cls(
            models=Path(get("ONNXLET_MODELS") or DEFAULT_MODELS),
            default_model=get("ONNXLET_DEFAULT_MODEL") or None,
            pins=pins_of(get("ONNXLET_SERVE"), faults),
            api_keys=_keys("ONNXLET_API_KEYS", get("ONNXLET_API_KEYS"), faults),
            reader_keys=_keys("ONNXLET_READER_KEYS", get("ONNXLET_READER_KEYS"), faults),
            max_body_bytes=whole("ONNXLET_MAX_BODY_BYTES", usual.max_body_bytes),
            max_unpacked_bytes=whole("ONNXLET_MAX_UNPACKED_BYTES", usual.max_unpacked_bytes),
            max_rows=whole("ONNXLET_MAX_ROWS", usual.max_rows),
            max_pixels=whole("ONNXLET_MAX_PIXELS", usual.max_pixels),
            threads=whole("ONNXLET_THREADS", usual.threads),
            max_seconds=whole("ONNXLET_MAX_SECONDS", int(usual.max_seconds)),
            max_in_flight=whole("ONNXLET_MAX_IN_FLIGHT", usual.max_in_flight),
            cors_origins=every("ONNXLET_CORS_ORIGINS", ORIGIN, AN_ORIGIN),
            hosts=every("ONNXLET_HOSTS", HOST, A_HOST, str.lower) or None,
            log=shaped("ONNXLET_LOG", "off|errors|all", "off, errors or all") or usual.log,
            log_successes=whole("ONNXLET_LOG_SUCCESSES", usual.log_successes),
            reload_seconds=whole("ONNXLET_RELOAD_SECONDS", usual.reload_seconds, least=0),
            lazy=shaped("ONNXLET_LOAD", "start|first-use", "start or first-use") == "first-use",
            models_url=shaped("ONNXLET_MODELS_URL", r"s3://[^/\s]+(/\S*)?", "s3://BUCKET/PREFIX"),
            answers_queue=shaped("ONNXLET_ANSWERS_QUEUE", r"https?://\S+", "a queue's URL"),
            score_from=score_from,
            score_to=score_to,
            score_keep=tuple(_entries(get("ONNXLET_SCORE_KEEP"))),
            metrics_namespace=shaped(
                "ONNXLET_EMF_NAMESPACE", r"[\w./#:-]{1,255}", "a CloudWatch namespace"
            ),
            unusual=shaped("ONNXLET_UNUSUAL", "off|on|refuse", "off, on or refuse")
            or usual.unusual,
            watch=shaped("ONNXLET_WATCH", "on|off", "on or off") != "off",
            keep=Path(keep) if keep else None,
            keep_mb=whole("ONNXLET_KEEP_MB", usual.keep_mb),
            keep_days=whole("ONNXLET_KEEP_DAYS", usual.keep_days),
        )
        faults += _in_both(settings)
        ours = {n: v for n, v in environ.items() if not n.startswith(DEVICE_PREFIX)}
        faults += unknown(ours, known, PREFIX)
        if faults:
            hint = documented(
                "docs/reference/settings.md lists the variables and their form.",
                f"The variables are {', '.join(sorted(known))}.",
            )
            raise SettingsError("; ".join(faults), hint)
        return settings


def by_package(environ: Mapping[str, str]) -> bool:
    """Whether sessions are opened by ONNX Runtime's Python package: as is set, or but on Linux.

    Programs that read no other setting ask it, too.
    """
    return (environ.get(RUNTIME) or (LIBRARY if sys.platform == "linux" else PACKAGE)) == PACKAGE


def unknown(environ: Mapping[str, str], known: Iterable[str], prefix: str) -> Iterator[str]:
    """Variables that nothing reads: a misspelt one would leave a server open, or unlimited.

    None is like another by the prefix that all have. Those that Kubernetes sets for a Service
    whose name begins as the prefix does are not ours.
    """
    for name in sorted({name for name in environ if name.startswith(prefix)} - {*known}):
        if CLUSTER in environ and re.fullmatch(OF_SERVICE, f"{name}={environ[name]}"):
            continue
        from difflib import get_close_matches  # slow to import, and seldom needed

        ends = [each.removeprefix(prefix) for each in known]
        close = get_close_matches(name.removeprefix(prefix), ends, 1)
        hint = f" (did you mean {prefix}{close[0]}?)" if close else ""
        yield f"{name}: unknown variable{hint}"


def _entries(text: str) -> list[str]:
    """What stands between commas, without blanks around it."""
    return [entry for part in text.split(",") if (entry := part.strip())]


def _places(score_from: str | None, score_to: str | None) -> Iterator[str]:
    """What is wrong with two prefixes: answers that come in again would be answered for ever."""
    names = "ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO"
    if not score_from or not score_to:
        if score_from or score_to:
            yield f"{names}: expected both or neither, got one"
    elif score_from.startswith(score_to) or score_to.startswith(score_from):
        got = f"{score_from:.80} and {score_to:.80}"
        yield f"{names}: expected two prefixes, neither within the other, got {got}"


def pins_of(text: str, faults: list[str]) -> dict[str, str]:
    """The pins of ONNXLET_SERVE, by model; `faults` gets what is wrong with it."""
    pins: dict[str, str] = {}
    for entry in _entries(text):
        name, _, version = (part.strip() for part in entry.partition("="))
        if not re.fullmatch(f"{WORD}=([1-9][0-9]{{0,17}}|{ALIAS})", f"{name}={version}"):
            faults.append(
                f"ONNXLET_SERVE: expected MODEL=VERSION or MODEL=ALIAS, got '{entry[:80]}'"
            )
        elif name in pins:
            faults.append(f"ONNXLET_SERVE: '{name}' stands there twice")
        else:
            pins[name] = version
    return pins


def _in_both(settings: Settings) -> Iterator[str]:
    """Keys that would predict and read: whoever does both learns of others' rows."""
    for name, digest in settings.reader_keys.items():
        if name in settings.api_keys or digest in settings.api_keys.values():
            named = f"{'' if name in settings.api_keys else 'the digest of '}'{name[:40]}'"
            yield f"ONNXLET_READER_KEYS: {named} is in ONNXLET_API_KEYS, too; choose another"


def _keys(variable: str, text: str, faults: list[str]) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    if text.strip() and not text.replace(",", "").strip():
        faults.append(f"{variable}: expected name:sha256-hex, got '{text.strip()[:40]}'")
    for entry in _entries(text):
        name, colon, digest = entry.partition(":")
        if not name or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            # Without a colon it may be the key itself, which must not be printed.
            named = (
                f"named '{name[:40]}' with {len(digest)} characters behind" if colon else "without"
            )
            faults.append(
                f"{variable}: expected name:sha256-hex, 64 characters behind the colon, "
                f"got an entry {named} a colon"
            )
        elif name in keys:
            faults.append(f"{variable}: the name '{name}' stands there twice")
        else:
            keys[name] = bytes.fromhex(digest)
    return keys
