"""`onnxlet COMMAND`: what `python -m convert` and `python -m edge` do in a checkout.

A side is imported when one of its commands is called: `onnxlet serve` needs no scikit-learn, and
help needs neither side.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from onnxlet.folders import CHECKOUT, ROOT, in_root

# Nothing is imported from where it happens to be called, not even by an empty entry of PYTHONPATH.
with suppress(FileNotFoundError):  # it may be gone
    if (here := Path.cwd()) != ROOT:
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]

import click

from onnxlet import __version__
from onnxlet.commands import run

# By the module that has them, under the heading of help: the commands' names and first lines.
SIDES = {
    "onnxlet.demo": (
        "To begin with",
        {"demo": "Train and convert the house prices, prove them, and serve until Ctrl-C."},
    ),
    "onnxlet.convert.command_line": (
        "From a model to a bundle",
        {
            "build": "Convert a fitted estimator, and compare its answers with the estimator's.",
            "prove": (
                "Compare an ONNX file, an endpoint or a function with an estimator, as build does."
            ),
            "train": "Train a model on a table, compare what is served with it, and report on it.",
            "import": "Take a model that another framework exported as ONNX.",
            "verify": "Check a model directory's hashes and replay its golden rows.",
            "score": (
                "Predict a table of any size: CSV, Parquet, Excel or JSON, a file, a folder or s3://bucket/prefix."
            ),
            "report": "Write a model's report again, as page and model card, from its findings.",
            "package": (
                "Build one zip, or a container image, for one Python and one architecture; "
                "or a website."
            ),
            "publish": "Put a signed archive into the channel that devices update from.",
        },
    ),
    "onnxlet.edge.command_line": (
        "Serving, and life on a device",
        {
            "serve": "Serve every model below a folder, until Ctrl-C.",
            "key": "Make an API key, print it once, and store its hash where the server reads it.",
            "health": "Ask whether this machine's server is ready: exit code 0, else 1.",
            "bench": (
                "Measure how fast this machine answers, and report it with what the machine is."
            ),
            "mqtt": "Answer readings that arrive by MQTT, until Ctrl-C.",
            "queue": "Show how many predictions wait here to be sent on.",
            "install": "Install this bundle as a service that starts at boot; may be repeated.",
            "uninstall": "Remove the service and its program.",
            "doctor": "Check this machine; the exit code is 1 if something is wrong.",
            "status": "Show what is live, idle, accepted and refused, and how it drifts.",
            "check": "Compare this slot with its lists, and replay every golden row.",
            "update": "Take a signed release, check it here, and roll back if it fails.",
            "rollback": "Roll back to the previous release; the current one is not taken again.",
        },
    ),
}
HIDDEN = {"settle": "onnxlet.edge.command_line"}  # only services call it


class Sides(click.Group):
    """The commands of several modules, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those that help shows, in its order."""
        return [name for _, commands in SIDES.values() for name in commands]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module that has a command; None where there is no such command."""
        modules = {n: module for module, (_, commands) in SIDES.items() for n in commands}
        module = (modules | HIDDEN).get(name)
        if module is None:
            return None
        commands: click.Group = import_module(module).main
        return commands.get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the close names where there is no such command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # slow to import, and seldom needed

            if close := get_close_matches(args[0], self.list_commands(ctx)):
                message = f"{error.message} Did you mean '{close[0]}'?"
                raise click.UsageError(message, ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them by side."""
        for heading, commands in SIDES.values():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))


group = Sides(
    help="Turn scikit-learn models into small ONNX functions, and serve them.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="onnxlet COMMAND --help shows what a command takes, and an example.",
)
group = click.version_option(__version__, prog_name="onnxlet")(group)


def main() -> None:
    """Run the command line that is installed as `onnxlet`; a checkout has it as a module only."""
    run(group, "python -m onnxlet" if CHECKOUT and not in_root() else "onnxlet")
