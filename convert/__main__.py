"""`python -m convert`: build and verify model directories, and package them."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import click

    from convert.bundle.target import ARCHES, BUDGETS, KINDS, MEGABYTE, PYTHONS, Budget, Target
    from convert.certificate import certificate_lines
    from function.command_line import Command, run
except ModuleNotFoundError as error:
    from function.not_set_up import stop

    stop(error, "convert")

if TYPE_CHECKING:
    from convert.build import Built
    from convert.bundle.sign import SigningKey

MODELS = Path("models")
models_option = click.option(
    "--models", type=click.Path(path_type=Path, file_okay=False), default=MODELS, metavar="DIR",
    show_default=True, envvar="ONNXLET_MODELS", show_envvar=True,
    help="Folder of model directories.",
)  # fmt: skip
breaking_option = click.option(
    "--breaking", is_flag=True, help="Clients of the served version need not go on with this one."
)
MODELS_ALONE = "models"


def _word(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A name that stands in a trusted comment."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise click.BadParameter(f"expected letters, digits, '.', '-' and '_', got '{value}'")
    return value


def sign_option(required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--sign KEY`."""
    return click.option(
        "--sign",
        type=click.Path(path_type=Path),
        required=required,
        metavar="KEY",
        help="Sign with this secret key of minisign (minisign -G makes one).",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Turn fitted scikit-learn models into model directories, proven equal to them."""


@main.command(
    cls=Command,
    example="python -m convert build convert/examples/house_prices.py:build --name house-prices",
)
@click.argument("source")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@click.option("--data", type=click.Path(path_type=Path), metavar="FILE", help="Held-out rows.")
@click.option("--target", metavar="COL", help="The column of --data that is the answer.")
@click.option(
    "--trust",
    multiple=True,
    metavar="TYPE",
    help="A type of your own in a .skops file, MODULE.CLASS; can be given again.",
)
@click.option(
    "--keep-background", type=click.IntRange(1, 1000), metavar="N",
    help="Explain from N of your training rows, which go with the model; not from made-up ones.",
)  # fmt: skip
@breaking_option
def build(
    source: str,
    name: str,
    models: Path,
    data: Path | None,
    target: str | None,
    trust: tuple[str, ...],
    keep_background: int | None,
    breaking: bool,
) -> None:
    """Convert a fitted estimator and prove that its answers stay the same.

    SOURCE is FILE.py:FUNCTION or MODULE:FUNCTION, which returns (estimator, X_test), with y_test
    and X_train behind them if you have them; or a .skops, .joblib or .pkl file, with --data.
    Prefer .skops: the other two run code when they are read, so open only your own.
    """
    from convert.build import build as build_model
    from convert.model_directory import check_name
    from convert.source import load_source

    check_name(name)
    report("loading the estimator and its test set")
    loaded = load_source(source, data, target, trust, report)
    built = build_model(loaded, name, models, report, keep_background, breaking)
    for line in certificate_lines(name, built.version, built.manifest):
        click.echo(line)
    _say_where(name, built)


@main.command(
    "import",
    cls=Command,
    example="python -m convert import net.onnx --name net --sample in.npz --expected out.npz",
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.onnx")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    metavar="IN.npz",
    help="Rows to try it with: an array for each input, by name.",
)
@click.option(
    "--expected",
    type=click.Path(path_type=Path),
    metavar="OUT.npz",
    help="The framework's own answers to them: an array for each output, by name.",
)
@breaking_option
def import_(file: Path, name: str, models: Path, breaking: bool, **rows: Path | None) -> None:
    """Take a model that another framework exported as ONNX.

    Without --expected nothing says that it answers as the framework did: the manifest then calls
    it unverified.
    """
    from convert.errors import WrongUse
    from convert.import_onnx import import_lines, import_onnx

    if rows["expected"] is not None and rows["sample"] is None:
        raise WrongUse("--expected: answers without their rows", "Add --sample IN.npz.")
    built = import_onnx(file, name, models, report, **rows, breaking=breaking)
    for line in import_lines(name, built.version, built.manifest):
        click.echo(line)
    _say_where(name, built)


def _say_where(name: str, built: Built) -> None:
    from convert.model_directory import still_served

    state = "written to" if built.new else "is the same, byte for byte, as"
    click.echo(f"{name} version {built.version} {state} {built.directory}")
    if line := still_served(built.directory, os.environ):
        click.echo(line)


@main.command(cls=Command, example="python -m convert verify models/house-prices/1")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR/N/V")
def verify(directory: Path) -> None:
    """Check a model directory's hashes and replay its golden rows."""
    from convert.golden import verify as verify_directory
    from convert.model_directory import check_version

    check_version(directory)
    model, rows = verify_directory(directory.resolve())
    click.echo(f"{model.name} version {model.version}: {rows} golden rows answered as at build")


@main.command(
    cls=Command,
    example="python -m convert package --arch aarch64 --out build/onnxlet.zip",
)
@models_option
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="N",
    help="Only this model; can be given again.  [default: all]",
)
@click.option(
    "--remote",
    multiple=True,
    metavar="N",
    help="Leave this model's graph to S3 (ONNXLET_MODELS_URL); can be given again.",
)
@click.option(
    "--target", "kind", type=click.Choice([*KINDS, MODELS_ALONE]), default="lambda",
    show_default=True, help="Where it will run; or models alone, for devices that run.",
)  # fmt: skip
@click.option(
    "--python", type=click.Choice(PYTHONS), default="3.13", show_default=True,
    help="The Python there.",
)  # fmt: skip
@click.option(
    "--arch", type=click.Choice(ARCHES), default="aarch64", show_default=True,
    help="The architecture there.",
)  # fmt: skip
@click.option(
    "--release", type=click.IntRange(1), metavar="R",
    help="Number for devices, which take higher ones alone.",
)  # fmt: skip
@sign_option(required=False)
@click.option("--channel", callback=_word, default="stable", show_default=True, metavar="C",
    help="Sign it for devices of this channel.",
)  # fmt: skip
@click.option("--name", callback=_word, default="onnxlet", show_default=True, metavar="N",
    help="Sign it for devices of this name (ONNXLET_DEVICE_NAME).",
)  # fmt: skip
@click.option(
    "--require-pyc", is_flag=True, help="Stop where there is no such Python to compile with."
)
@click.option("--max-zipped", type=click.FloatRange(0), metavar="MB", help="Budget of the zip.")
@click.option("--max-unpacked", type=click.FloatRange(0), metavar="MB", help="Budget unpacked.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.zip",
    help="The zip to write.",
)  # fmt: skip
def package(
    models: Path,
    names: tuple[str, ...],
    remote: tuple[str, ...],
    kind: str,
    python: str,
    arch: str,
    release: int | None,
    sign: Path | None,
    channel: str,
    name: str,
    require_pyc: bool,
    max_zipped: float | None,
    max_unpacked: float | None,
    out: Path,
) -> None:
    """Build one zip for one Python and one architecture, on any machine.

    It has of each model the version that is served and those that have names, the function, and
    what that needs: locked, its hashes checked, stripped of what is never loaded. The same input
    gives the same bytes.
    """
    from convert.bundle.contents import choose_models
    from convert.bundle.package import package as write_bundle

    target = Target(kind, python, arch)
    _check_package(kind, release, sign, out)
    signing = _signing_key(sign) if sign else None
    if kind == MODELS_ALONE:
        from convert.bundle.release import write_models

        report("checking the models")
        write_models(choose_models(models, names, ()), out, release or 0)
        _sign(out, signing, kind=kind, release=release, channel=channel, name=name)
        return
    usual = BUDGETS[kind]
    budget = Budget(
        usual.zipped if max_zipped is None else round(max_zipped * MEGABYTE),
        usual.unpacked if max_unpacked is None else round(max_unpacked * MEGABYTE),
    )
    report(f"checking the models for {target}")
    chosen = choose_models(models, names, remote)
    done = write_bundle(
        target, chosen, out, budget, report, _bar, release=release, require_pyc=require_pyc
    )
    for line in done.lines:
        click.echo(line)
    click.echo(f"{out}: {target}, sha256 {done.sha256}")
    if kind == "device":  # nobody asks for a signature on Lambda
        whom = {"channel": channel, "name": name, "arch": arch, "python": python}
        _sign(out, signing, kind="bundle", release=release, **whom)


def _signing_key(file: Path) -> SigningKey:
    from convert.bundle.sign import read_secret_key

    return read_secret_key(
        file, lambda: str(click.prompt(f"password of {file}", hide_input=True, err=True))
    )


def _sign(out: Path, key: SigningKey | None, **parts: Any) -> None:
    from convert.bundle.release import sign_release

    if key is None:
        click.echo(f"{out}: not signed")
        return
    click.echo(f"{sign_release(out, key, **parts)}: the signature, to go with it")


@main.command(
    cls=Command,
    example="python -m convert publish build/onnxlet.zip s3://releases/pumps --sign pumps.key",
)
@click.argument("archive", type=click.Path(path_type=Path), metavar="FILE.zip")
@click.argument("target", metavar="DIR|s3://...")
@sign_option(required=True)
@click.option("--percent", type=click.FloatRange(0, 100), default=100, show_default=True,
    help="Of the devices that take it; publish it again to change that.",
)  # fmt: skip
@click.option("--trust", type=click.Path(path_type=Path), multiple=True, metavar="OTHER.pub",
    help="Another key that the archive, or the channel so far, is signed by; can be given again.",
)  # fmt: skip
@click.option("--earlier-index", is_flag=True,
    help="Go on from an index that is earlier than the last one that was published with this key.",
)  # fmt: skip
def publish(
    archive: Path,
    target: str,
    sign: Path,
    percent: float,
    trust: tuple[Path, ...],
    earlier_index: bool,
) -> None:
    """Put a signed archive into the channel that devices update from.

    A canary is a release with a --percent below 100: which devices take it follows from their ids
    and its number, so that more percent add devices and take none away.
    """
    from convert.bundle.publish import place_of, record_of
    from convert.bundle.publish import publish as put
    from convert.bundle.sign import read_public_key

    trusted = [read_public_key(file) for file in trust]
    place, record = place_of(target), record_of(sign, target)
    key = _signing_key(sign)
    click.echo(put(archive, place, key, percent, trusted, record, earlier_index))


def _check_package(kind: str, release: int | None, sign: Path | None, out: Path) -> None:
    from convert.errors import WrongUse

    if platform.system() not in ("Linux", "Darwin"):
        raise WrongUse(f"packaging works on Linux and macOS, got {platform.system()}")
    if out.suffix != ".zip":
        raise WrongUse(f"--out: expected a name that ends in .zip, got '{out}'")
    if release is not None and kind == "lambda":
        raise WrongUse("--release: only device bundles are numbered", "Add --target device.")
    if kind == "lambda" and sign:
        raise WrongUse("--sign: only what devices take is signed", "Add --target device.")
    if release is None and (sign or kind == MODELS_ALONE):
        raise WrongUse("--release: a number is missing", "Devices take higher ones alone.")
    parent = next(place for place in out.absolute().parents if place.exists())
    if not parent.is_dir():
        raise WrongUse(f"--out: '{parent}' is not a folder")


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, where that is a terminal."""
    with click.progressbar(length=total, file=sys.stderr, label="  zipping") as bar:
        yield bar.update


def report(line: str) -> None:
    """Progress, on standard error."""
    click.echo(f"  {line}", err=True)


if __name__ == "__main__":
    run(main, "python -m convert")
