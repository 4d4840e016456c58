"""`python -m tools.deploy`: deploy, roll back, remove, look at the log, call. Make's commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from onnxlet.commands import Command, run
from tools.deploy import after, readiness
from tools.deploy import drift as drifts
from tools.deploy.cloud import REFUSED, Cloud, cloud_of
from tools.deploy.errors import DeployFailed
from tools.deploy.lock import alone
from tools.deploy.options import Plan, read_plan
from tools.deploy.up import up as deploy


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Deploy to AWS Lambda. Options are environment variables: docs/how-to/deploy.md."""


@main.command(cls=Command, example="STAGE=dev OPEN=1 python -m tools.deploy up")
def up() -> None:
    """Package, deploy a version, prove it where it runs, and only then serve it."""
    with _where() as (plan, cloud), alone():
        _print(deploy(plan, cloud, _report))


@main.command(cls=Command, example="STAGE=dev python -m tools.deploy rollback")
def rollback() -> None:
    """Serve the version again that was proven before."""
    with _where() as (plan, cloud):
        readiness.check_access(cloud)
        _print(after.roll_back(plan, cloud))


@main.command(cls=Command, example="STAGE=dev python -m tools.deploy remove")
def remove() -> None:
    """Delete all that was deployed."""
    with _where() as (plan, cloud), alone():
        readiness.check_access(cloud, osls=True)
        _report(f"removing {plan.stack}")
        _print(after.remove(plan, cloud))


@main.command(cls=Command, example="python -m tools.deploy logs --minutes 60 --follow")
@click.option("--minutes", type=click.IntRange(1), default=10, show_default=True, envvar="MINUTES")
@click.option("--follow", is_flag=True, envvar="FOLLOW", help="Until Ctrl-C.")
def logs(minutes: int, follow: bool) -> None:
    """Show the function's log."""
    with _where() as (plan, cloud):
        readiness.check_access(cloud)
        _print(after.log_lines(plan, cloud, minutes, follow))


@main.command(cls=Command, example="STAGE=dev python -m tools.deploy drift --hours 168")
@click.option("--hours", type=click.IntRange(1), default=24, show_default=True, envvar="HOURS")
@click.option("--minutes", type=click.IntRange(1), envvar="MINUTES", help="Instead of hours.")
@click.option("--model", default="", envvar="MODEL", help="The only one that is wanted.")
@click.option(
    "--json", "as_json", is_flag=True, envvar="JSON", help="One report a line, as the route has it."
)
def drift(hours: int, minutes: int | None, model: str, as_json: bool) -> None:
    """Add up what the log has counted, and hold it against the models' reference."""
    with _where() as (plan, cloud):
        readiness.check_access(cloud)
        for found in after.drifts(plan, cloud, minutes or 60 * hours, model, _report):
            _print([json.dumps(found)] if as_json else drifts.in_words(found))


@main.command(
    cls=Command, example="""BODY='{"instances": [[1, 2]]}' python -m tools.deploy invoke"""
)
@click.option("--body", default="", envvar="BODY", help="JSON to send; a golden row if not given.")
@click.option("--model", default="", envvar="MODEL", help="Whose golden row.")
def invoke(body: str, model: str) -> None:
    """Ask what is live, directly and without HTTP."""
    with _where() as (plan, cloud):
        readiness.check_access(cloud)
        answer, is_prediction = after.call(plan, cloud, body, model)
        click.echo(answer)
        if not is_prediction:
            sys.exit(1)


@contextmanager
def _where() -> Iterator[tuple[Plan, Cloud]]:
    """The plan and the cloud to carry it out in; AWS's errors are printed as ours are."""
    plan = read_plan(os.environ)
    cloud = cloud_of(os.environ)
    try:
        yield plan, cloud
    except REFUSED as error:
        raise DeployFailed(f"AWS: {error}") from error


def _report(line: str) -> None:
    """Progress, on standard error."""
    click.echo(line, err=True)


def _print(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    run(main, "python -m tools.deploy")
