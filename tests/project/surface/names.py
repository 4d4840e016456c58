"""Names of Python, of the command line, and of the tables in the reference."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import click

import onnxlet
from onnxlet.command_line import group
from onnxlet.convert.prove.proof import Proof
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.score.running import Scored
from onnxlet.convert.train.preparing import Options
from tests.conftest import ROOT

Names = dict[str, str]
RETURNED = (ProvenModel, Proof, Scored)  # by functions that are public
DOCS = ROOT / "docs"


def python() -> Names:
    """What `from onnxlet import …` gives, with parameters and members; and the extras."""
    found: Names = {}
    public = {name: getattr(onnxlet, name) for name in onnxlet.__all__}
    for name, value in (public | {each.__name__: each for each in RETURNED}).items():
        if isinstance(value, type):
            bases = [each.__name__ for each in value.__mro__[1:] if each.__name__ in public]
            found[name] = " of ".join(["class", *bases])
            found |= _members(name, value)
            if hasattr(value, "get_params"):  # others are not made by users
                found |= _parameters(name, value)
        else:
            found |= {name: "function", **_parameters(name, value)}
    found |= {f"train({name})": f"= {value!r}, by name" for name, value in vars(Options()).items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found | {f"onnxlet[{extra}]": "extra" for extra in project["optional-dependencies"]}


def _members(name: str, public: type) -> Names:
    """Public members that classes of ours define, and not those of a library."""
    found: Names = {}
    for each in public.__mro__:
        if not each.__module__.startswith("onnxlet"):
            continue
        for member in {**inspect.get_annotations(each), **vars(each)}:
            if member.startswith("_"):
                continue
            value = inspect.getattr_static(public, member, None)
            if type(value).__module__.startswith("sklearn"):  # its metadata's routing
                continue
            called = inspect.isfunction(value)
            found[f"{name}.{member}"] = "method" if called else "attribute"
            if called:
                found |= _parameters(f"{name}.{member}", value, bound=True)
    return found


def _parameters(name: str, called: Any, bound: bool = False) -> Names:
    """How each parameter is given, by position or by name, and what it is by default."""
    found: Names = {}
    parameters = list(inspect.signature(called).parameters.values())[int(bound) :]
    for position, one in enumerate(parameters, 1):
        if one.kind is one.VAR_KEYWORD:  # their names are recorded where they are known
            continue
        default = getattr(one.default, "__name__", None) or repr(one.default)
        needed = "required" if one.default is one.empty else f"= {default}"
        given = "by name" if one.kind is one.KEYWORD_ONLY else f"argument {position}"
        several = ", several" * (one.kind is one.VAR_POSITIONAL)
        found[f"{name}({one.name})"] = f"{needed}, {given}{several}"
    return found


def commands() -> Names:
    """Every command with its arguments, options and their choices; none that help leaves out."""
    context = click.Context(group, info_name="onnxlet")
    found: Names = {}
    for name in ("", *group.list_commands(context)):
        command = group.get_command(context, name) if name else group
        assert command is not None
        found |= {f"onnxlet {name}": "command"} if name else {}
        shown = [each for each in command.params if not getattr(each, "hidden", False)]
        for number, parameter in enumerate(shown, 1):
            found |= _parameter(f"onnxlet {name}".strip(), parameter, number)
    return found


def _parameter(command: str, parameter: click.Parameter, number: int) -> Names:
    """An option under each of its names, an argument with its position."""
    about = parameter.to_info_dict()
    option, flag, default = (
        isinstance(parameter, click.Option),
        about.get("is_flag"),
        about["default"],
    )
    words = ["required"] * about["required"] + ["flag" if flag else parameter.type.name]
    words += ["several"] * (about["multiple"] or about["nargs"] != 1)
    words += [] if flag or default is None or callable(default) else [f"= {default!r}"]
    words += [] if option else [f"argument {number}"]
    spelt = [*about["opts"], *about["secondary_opts"]] if option else [about["name"].upper()]
    choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
    found = {f"{command} {each}": ", ".join(words) for each in spelt}
    return found | {f"{command} {each} {choice}": "choice" for each in spelt for choice in choices}


def settings() -> Names:
    """Environment variables, each with its default up to what explains it."""
    found = {"ONNXLET_PROVE_KEY": "= none"}
    for row in _rows("reference/settings.md"):
        names = re.findall(r"`(ONNXLET_\w+)`", row[0])
        defaults = row[-1].split(", ") if len(names) > 1 else [row[-1]]
        for name, default in zip(names, cycle(defaults), strict=False):
            found[name] = f"= {re.split('[:;,]', default)[0]}"
    return found


def metrics() -> Names:
    """Metrics of Prometheus, each with its labels."""
    rows = [*_rows("reference/log-and-metrics.md"), *_rows("how-to/forward.md")]
    labels = {row[0].strip("`"): row[1].replace("`", "") for row in rows if "onnxlet_" in row[0]}
    return {name: each or "no labels" for name, each in labels.items()}


def log() -> Names:
    """Members of a request's line in the log, with Lambda's metrics and counts among them."""
    found: Names = {}
    for row in [*_rows("reference/log-and-metrics.md"), *_rows("reference/lambda.md")]:
        names = [each for each in re.findall(r"`(\w+)`", row[0]) if not each.startswith("onnxlet_")]
        # That of counts follows the metrics, and has no units.
        counts = "watched_rows" in found and len(row) == 2
        found |= {f"watched.{name}" if counts else name: "member" for name in names}
    return found


def _rows(page: str) -> Iterator[list[str]]:
    """The cells of a page's tables of names, which other tests hold against what there is."""
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]
