"""`onnxlet prove`: what others made of an estimator is compared with it."""

from __future__ import annotations

from pathlib import Path

import click

from onnxlet.commands import Command
from onnxlet.convert.options import (
    data_option,
    decimal_option,
    model_option,
    progress,
    report,
    sheet_option,
    target_option,
    trust_option,
)


@click.command(cls=Command, example="{command} theirs.onnx my_model.py:build")
@click.argument("subject")
@click.argument("source")
@data_option
@target_option
@sheet_option
@decimal_option
@trust_option
@model_option
@click.option(
    "--float32", "single", is_flag=True,
    help="SUBJECT computes in float32: ask both numbers that float32 holds, and leave out rows that"
    " its rounding decides.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), default=30, show_default=True,
    metavar="S", help="How long an endpoint may take for one answer.",
)  # fmt: skip
@click.option(
    "--key", envvar="ONNXLET_PROVE_KEY", show_envvar=True, metavar="KEY",
    help="An endpoint's key, sent as a bearer token.",
)  # fmt: skip
def prove(
    subject: str,
    source: str,
    data: Path | None,
    target: str | None,
    sheet: str,
    decimal: str | None,
    trust: tuple[str, ...],
    model: str | None,
    single: bool,
    seconds: float,
    key: str | None,
) -> None:
    """Compare an ONNX file, an endpoint or a function with an estimator, as build does.

    SUBJECT is an .onnx file, a model directory, the address of an endpoint (native, v2, V1 or
    MLflow's /invocations), or FILE.py:FUNCTION, which is given rows as the estimator takes them.
    SOURCE is as build takes it. The exit code is 0 where all answers are equal, and 1 where some
    differ.
    """
    from onnxlet.convert.prove.prove import prove as compared
    from onnxlet.convert.prove.subjects import opened
    from onnxlet.convert.sources.source import load_source
    from onnxlet.convert.tables.rows_file import HowRead

    report("loading the estimator and its test set")
    loaded = load_source(source, data, target, trust, report, HowRead(sheet, decimal), model)
    with progress() as shown:
        proof = compared(loaded, opened(subject, seconds, key), shown, single)
    for line in proof.lines():
        click.echo(line)
    if not proof.equal:
        raise SystemExit(1)
