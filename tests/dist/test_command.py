"""`onnxlet COMMAND` has the commands of both sides, and imports a side when it is asked for."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import onnxlet
from onnxlet import folders
from onnxlet.command_line import HIDDEN, SIDES, group
from onnxlet.convert.bundle.targets import deploy_line
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, ran


def loaded(code: str, **environ: str) -> set[str]:
    """The modules that are imported once some code has run."""
    done = ran(
        [sys.executable, "-c", f"import sys\n{code}\nprint('LOADED', *sys.modules)"],
        env={**os.environ, **environ},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("module", SIDES)
def test_the_list_is_what_each_side_has(module: str) -> None:
    commands: dict[str, click.Command] = import_module(module).main.commands
    shown = {n: c.get_short_help_str(200) for n, c in commands.items() if not c.hidden}

    assert SIDES[module][1] == shown
    assert {n for n, c in commands.items() if c.hidden} == {
        name for name, hidden in HIDDEN.items() if hidden == module
    }


def test_no_two_commands_have_one_name() -> None:
    names = [name for _, commands in SIDES.values() for name in commands]
    assert len({*names, *HIDDEN}) == len(names) + len(HIDDEN)


def test_importing_onnxlet_loads_none_of_what_it_offers() -> None:
    modules = loaded("import onnxlet")
    assert {name for name in modules if name.startswith("onnxlet")} == {
        "onnxlet",
        "onnxlet.folders",
    }
    assert not modules & {"numpy", "click", "flask", "sklearn", "onnxruntime"}


def test_what_a_notebook_imports_first_is_light() -> None:
    modules = loaded("from onnxlet import build, score, train, verify; help(build); dir()")
    assert not modules & {"numpy", "pandas", "sklearn", "onnx", "onnxruntime", "pyarrow", "click"}
    assert len({name for name in modules if name.startswith("onnxlet")}) < 15


def test_help_loads_neither_side() -> None:
    modules = loaded("from onnxlet.command_line import group; group(['-h'], standalone_mode=False)")
    assert "onnxlet.command_line" in modules
    assert not modules & {"numpy", "sklearn", *SIDES}


def test_serving_loads_nothing_of_the_laptop_side() -> None:
    call = "group(['serve', '--only-listen', '--port', '0'], standalone_mode=False)"
    modules = loaded(f"from onnxlet.command_line import group; {call}")
    assert "onnxlet.edge.service.serve" in modules
    assert not modules & {"onnxlet.convert", "sklearn", "pandas", "onnx", "scipy"}


@pytest.mark.parametrize("name", ["build", "import", "verify", "package", "publish", "serve"])
def test_help_shows_the_command_as_it_was_called(name: str) -> None:
    end = CliRunner().invoke(group, [name, "--help"], prog_name="onnxlet")
    assert end.exit_code == 0
    assert f"Usage: onnxlet {name} " in end.stdout
    assert f"Example: onnxlet {name} " in end.stdout


def test_it_names_its_version() -> None:
    end = CliRunner().invoke(group, ["--version"], prog_name="onnxlet")
    assert (end.exit_code, end.stdout) == (0, f"onnxlet, version {onnxlet.__version__}\n")


def test_a_command_that_is_none_is_wrong_use() -> None:
    end = CliRunner().invoke(group, ["bake"], prog_name="onnxlet")
    assert end.exit_code == 2
    assert "No such command 'bake'" in end.stderr


@pytest.mark.parametrize(
    ("typed", "meant"), [("biuld", "build"), ("udpate", "update"), ("bake", None)]
)
def test_a_command_that_is_close_is_suggested(typed: str, meant: str | None) -> None:
    told = CliRunner().invoke(group, [typed], prog_name="onnxlet").stderr
    suggested = f" Did you mean '{meant}'?" if meant else ""
    assert told.splitlines()[-1] == f"Error: No such command '{typed}'.{suggested}"


def test_the_package_runs_as_a_module() -> None:
    done = ran([sys.executable, "-m", "onnxlet", "build", "--help"])
    assert done.stdout.startswith("Usage: onnxlet build ")


def test_documents_are_named_only_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere nobody has them: each message that names one leaves it to `documented`."""
    bare = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for folder in ("function", "convert", "edge", "onnxlet")
        for file in (ROOT / folder).rglob("*.py")
        for node in bare_texts(ast.parse(file.read_text()))
        if "docs/" in str(node.value)
    ]
    # The settings of a device have a comment for whoever edits them, maybe elsewhere.
    assert [place.partition(":")[0] for place in bare] == ["edge/install/units.py"]
    monkeypatch.setattr(folders, "CHECKOUT", False)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({"ONNXLET_THREADS": "many"})
    assert refused.value.hint.startswith("The variables are ONNXLET_ANSWERS_QUEUE, ONNXLET_API_K")
    with pytest.raises(SettingsError) as refused:
        DeviceSettings.from_environ({"ONNXLET_DEVICE_PROT": "x"})
    assert refused.value.hint.startswith("The variables are ONNXLET_DEVICE_API_KEY, ONNXLET_DEVI")


def bare_texts(node: ast.AST) -> Iterator[ast.Constant]:
    """Texts of a syntax tree, without docstrings and what `documented` is called with."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "documented":
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from bare_texts(child)


def test_a_command_is_named_as_it_is_found_from_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert folders.typed("edge", "serve") == ".venv/bin/python -m edge serve"
    monkeypatch.chdir(tmp_path)  # where -m finds no `edge`, or somebody else's
    assert folders.typed("edge", "serve") == "python -m onnxlet serve"
    tmp_path.rmdir()
    assert folders.typed("edge", "serve") == "python -m onnxlet serve"
    monkeypatch.setattr(folders, "CHECKOUT", False)
    assert folders.typed("edge", "serve") == "onnxlet serve"


def test_nothing_else_is_there_to_import() -> None:
    assert {"build", "converts", "verify"} <= set(dir(onnxlet))
    with pytest.raises(AttributeError, match="has no attribute 'train_all'"):
        _ = onnxlet.train_all  # type: ignore[attr-defined]


def test_the_line_that_deploys_survives_a_shell(tmp_path: Path) -> None:
    bundle = tmp_path / "my $project" / "it's.zip"
    (tmp_path / "Makefile").write_text("deploy: ; @printenv BUNDLE\n")
    # Below `make test` another make would report which folder it enters.
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}

    done = ran(["sh", "-c", deploy_line(bundle)], cwd=tmp_path, env=environ, check=True)

    assert done.stdout.strip() == str(bundle)
