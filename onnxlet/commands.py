"""What the command lines of `convert` and `edge` share: examples, errors, exit codes."""

from __future__ import annotations

import errno
import sys
import traceback
from typing import Any, NoReturn

import click

from onnxlet.function.errors import OnnxletError
from onnxlet.not_set_up import stop

NO_SPACE = "The disk is full: free some of it, or write elsewhere."
DENIED = "Write elsewhere, or as a user that may write there."
# Errors of the system that a user can do something about; any other is a bug.
WAYS_OUT = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EROFS: DENIED,
    errno.EACCES: "Let this user read or write it, or name another path.",
    errno.ENAMETOOLONG: "Use a shorter path.",
    errno.ELOOP: "The links on this path lead to each other: name another path.",
    errno.ENOENT: "It is not there, and can't be made there: name another path.",
    errno.EEXIST: "Something else is there by this name: name another path.",
    errno.ENOTDIR: "A part of this path is a file: name another path.",
    errno.EISDIR: "This is a folder: name a file.",
}


class Command(click.Command):
    """A command whose help ends with an example; `--debug` shows tracebacks.

    In the example `{command}` stands for the command as it was called: `onnxlet build` where this
    project is installed, `python -m convert build` in a checkout.
    """

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        debug = click.Option(["--debug"], is_flag=True, help="Show the traceback of an error.")
        self.params.append(debug)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example below the options."""
        self.epilog = f"Example: {self.example.replace('{command}', ctx.command_path)}"
        super().format_epilog(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and say in words which number an option takes."""
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            kind = error.param.type if error.param else None
            if not isinstance(kind, click.IntRange | click.FloatRange):
                raise
            got = error.message.partition(" is not ")[0].strip("'")
            message = f"expected {_in_words(kind)}, got '{got}'"
            raise click.BadParameter(message, error.ctx, error.param, error.param_hint) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and print an `OnnxletError` without its traceback."""
        debug = ctx.params.pop("debug")
        try:
            return super().invoke(ctx)
        except (OnnxletError, OSError, ModuleNotFoundError) as error:
            if isinstance(error, OSError) and error.errno not in WAYS_OUT:
                raise
            if debug:
                traceback.print_exception(error)
            if isinstance(error, ModuleNotFoundError):
                stop(error, _side_of(self))
            if isinstance(error, OSError):
                exit_with(OnnxletError(str(error), WAYS_OUT[error.errno or 0]))
            exit_with(error)


def _in_words(kind: click.IntRange | click.FloatRange) -> str:
    """The numbers that an option takes; each of ours has a least one."""
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    if kind.max is None:
        return f"{number} of at least {kind.min}"
    return f"{number} from {kind.min} to {kind.max}"


def _side_of(command: click.Command) -> str:
    """Whose packages a command needs."""
    return "edge" if ".edge." in getattr(command.callback, "__module__", "") else "convert"


def exit_with(error: OnnxletError) -> NoReturn:
    """Print an error with its hint, and end with its exit code."""
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    sys.exit(error.exit_code)


def run(group: click.Group, name: str) -> None:
    """Run a command line; exit codes are 0 done, 1 failed or refused, 2 wrong use."""
    group(prog_name=name)
