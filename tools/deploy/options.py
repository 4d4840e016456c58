"""The options of a deployment: environment variables, as make hands its own on.

docs/how-to/deploy.md has the same table. What is not set is left to serverless.yml, whose
`params` have the defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from onnxlet.convert.bundle.parts import ARCHES, PYTHONS
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings
from tools.deploy.errors import WrongOptions

# As CloudWatch takes them: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference
DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
VISIBLE = 6  # times the timeout, as Lambda asks of a queue that it reads
NONE = "none"  # takes away what a stage has: a boundary, or objects that are answered
SCORE = ("SCORE_FROM", "SCORE_TO")
HINT = "docs/how-to/deploy.md lists the options."
_DISK = "a function's disk goes with its instance: servers and devices keep predictions"
# Settings that would not reach the function: why, or what to set instead.
NOT_HANDED_ON = {
    "ONNXLET_KEEP": _DISK,
    "ONNXLET_KEEP_MB": _DISK,
    "ONNXLET_KEEP_DAYS": _DISK,
    "ONNXLET_MAX_IN_FLIGHT": "an instance answers one request at a time; CONCURRENCY limits them",
    "ONNXLET_HOSTS": "AWS itself hands on only what is asked for by the function's own names",
    "ONNXLET_RELOAD_SECONDS": "a version has the models that it was deployed with",
    "ONNXLET_MODELS_URL": "set MODELS_URL",
    "ONNXLET_SCORE_FROM": "set SCORE_FROM",
    "ONNXLET_SCORE_TO": "set SCORE_TO",
    "ONNXLET_ANSWERS_QUEUE": "the queue is made for it: set QUEUE=1",
    "ONNXLET_EMF_NAMESPACE": "it is onnxlet-STAGE",
}


class Kind(NamedTuple):
    """The values that an option accepts: a description, and a check."""

    expected: str
    fits: Callable[[str], bool]


def _matching(pattern: str, expected: str) -> Kind:
    return Kind(expected, lambda text: re.fullmatch(pattern, text) is not None)


def _whole(least: int, most: int) -> Kind:
    def fits(text: str) -> bool:
        return re.fullmatch(r"[0-9]{1,9}", text) is not None and least <= int(text) <= most

    return Kind(f"a whole number from {least} to {most}", fits)


def _one_of(*values: object) -> Kind:
    allowed = [str(value) for value in values]
    return Kind(f"one of {', '.join(allowed)}", allowed.__contains__)


# No character that means something in a policy's or a rule's pattern.
PREFIX = _matching(
    rf"{NONE}|s3://[a-z0-9.-]{{3,63}}(/[\w.=+@,-]+)+/?", f"s3://BUCKET/PREFIX/, or {NONE}"
)
YES_OR_NO = _one_of(0, 1)


class Option(NamedTuple):
    """One option."""

    kind: Kind
    param: str = ""  # of serverless.yml, where it is one's value as it is
    default: str = ""  # where it is not a param's


OPTIONS: Mapping[str, Option] = {
    "STAGE": Option(
        _matching("[a-z][a-z0-9-]{0,19}", "1 to 20 of a-z, 0-9 and -, a letter first"),
        default="dev",
    ),
    "MODELS": Option(_matching(".+", "a folder"), default="models"),
    "BUNDLE": Option(_matching(r".+\.zip", "a .zip that was packaged before")),
    "PYTHON_VERSION": Option(_one_of(*PYTHONS), default="3.13"),
    "ARCH": Option(_one_of(*ARCHES), default="aarch64"),
    "MEMORY": Option(_whole(128, 10240), "memory"),
    "TIMEOUT": Option(_whole(1, 900), "timeout"),
    "TMP_MB": Option(_whole(512, 10240), "tmp"),
    "CONCURRENCY": Option(_whole(1, 100_000), "concurrency"),
    "SNAPSTART": Option(YES_OR_NO, "snapStart"),
    "KEEP": Option(_whole(1, 50), default="3"),
    "RATE": Option(_whole(1, 100_000), "rate"),
    "BURST": Option(_whole(1, 100_000), "burst"),
    "FUNCTION_URL": Option(YES_OR_NO, "functionUrl"),
    "QUEUE": Option(YES_OR_NO, "queue"),
    "WARM_MINUTES": Option(
        Kind("0, or a whole number from 2 to 59", {"0", *map(str, range(2, 60))}.__contains__),
        "warmMinutes",
    ),
    "LOG_DAYS": Option(_one_of(*DAYS), "logDays"),
    "P99_MS": Option(_whole(1, 900_000), "p99Ms"),
    "ALARM_TOPIC": Option(_matching(r"arn:aws[a-z-]*:sns:\S+", "an SNS topic's ARN"), "alarmTopic"),
    "BOUNDARY": Option(
        _matching(
            rf"{NONE}|arn:aws[a-z-]*:iam::([0-9]{{12}}|aws):policy/\S+", "an IAM policy's ARN"
        ),
        "boundary",
    ),
    "REMOTE": Option(_matching(r"[\w.-]+( [\w.-]+)*", "names of models, spaces between them")),
    "MODELS_URL": Option(
        _matching(r"s3://[a-z0-9.-]{3,63}/\S*[^\s/]", "s3://BUCKET/PREFIX"), "modelsUrl"
    ),
    "SCORE_FROM": Option(PREFIX, "scoreFrom"),
    "SCORE_TO": Option(PREFIX, "scoreTo"),
    "API_KEYS_SSM": Option(_matching(r"/?[\w./-]+", "a parameter's name, like /onnxlet/keys")),
    "OPEN": Option(YES_OR_NO, default="0"),
}


@dataclass(frozen=True)
class Plan:
    """What is to be deployed, checked as far as words can be."""

    values: Mapping[str, str]  # of the options that are set, and of those whose default is here
    default_python: bool  # PYTHON_VERSION was not set
    default_arch: bool  # ARCH was not set
    api_keys: str  # `ONNXLET_API_KEYS` as it was given
    # `ONNXLET_SERVE`: of models by name the version, or its alias, that is to be served.
    pins: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None  # `ONNXLET_DEFAULT_MODEL`

    @property
    def stage(self) -> str:
        """The name of the stage."""
        return self.values["STAGE"]

    @property
    def stack(self) -> str:
        """The CloudFormation stack's name, as osls makes it of service and stage."""
        return f"onnxlet-{self.stage}"

    @property
    def models(self) -> Path:
        """The folder of model directories."""
        return Path(self.values["MODELS"])

    def wanted(self, name: str) -> bool:
        """An option that is yes or no."""
        return self.values.get(name, "0") == "1"

    @property
    def objects(self) -> tuple[str, str] | None:
        """`s3://BUCKET/PREFIX/` of objects that are answered and of their answers, or None."""
        given = [self.values.get(name, NONE) for name in SCORE]
        if NONE in given:
            return None
        come, go = (each if each.endswith("/") else f"{each}/" for each in given)
        return come, go

    def params(self) -> dict[str, str]:
        """What serverless.yml is given, by param."""
        params = {
            option.param: self.values[name]
            for name, option in OPTIONS.items()
            if option.param and name in self.values
        }
        if params.get("boundary") == NONE:
            del params["boundary"]
        if "timeout" in params:
            seconds = int(params["timeout"])
            params |= {"visibility": str(VISIBLE * seconds), "maxSeconds": str(max(seconds - 1, 1))}
        if "modelsUrl" in params:
            params["modelsPath"] = params["modelsUrl"].removeprefix("s3://")
        if self.objects is None:
            return {k: v for k, v in params.items() if k not in ("scoreFrom", "scoreTo")}
        come, go = self.objects
        bucket, _, prefix = come.removeprefix("s3://").partition("/")
        params |= {"scoreFrom": come, "scoreBucket": bucket, "scorePrefix": prefix}
        params |= {"scoreTo": go, "scoreToPath": go.removeprefix("s3://")}
        return params


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Read the options and the function's own settings; WrongOptions with every fault."""
    given = {name: environ.get(name, "").strip() for name in OPTIONS}
    given["MODELS"] = given["MODELS"] or environ.get("ONNXLET_MODELS", "").strip()
    faults = [
        f"{name}: expected {option.kind.expected}, got '{given[name][:80]}'"
        for name, option in OPTIONS.items()
        if given[name] and not option.kind.fits(given[name])
    ]
    if given["REMOTE"] and given["BUNDLE"]:
        faults.append("REMOTE and BUNDLE: expected one; a bundle says itself which graphs it lacks")
    elif bool(given["REMOTE"]) != bool(given["MODELS_URL"]) and not given["BUNDLE"]:
        faults.append("REMOTE and MODELS_URL: expected both or neither, got one")
    if given["SNAPSTART"] == "1" and given["PYTHON_VERSION"] == "3.11":
        faults.append("SNAPSTART: expected Python 3.12 or newer, got PYTHON_VERSION=3.11")
    if given["SNAPSTART"] == "1" and given["TMP_MB"] not in ("", "512"):
        faults.append(f"SNAPSTART: expected TMP_MB=512, got TMP_MB={given['TMP_MB']}")
    settings = Settings()
    places = {f"ONNXLET_{name}": given[name] for name in SCORE if given[name] != NONE}
    try:
        settings = Settings.from_environ({**environ, **({} if faults else places)})
    except SettingsError as error:
        faults += error.message.split("; ")
    if faults:
        raise WrongOptions(faults, HINT)
    defaults = {name: option.default for name, option in OPTIONS.items() if option.default}
    return Plan(
        {**defaults, **{name: value for name, value in given.items() if value}},
        not given["PYTHON_VERSION"],
        not given["ARCH"],
        environ.get("ONNXLET_API_KEYS", "").strip(),
        settings.pins,
        settings.default_model,
    )
