"""`python -m convert`: build and verify model directories, and package them."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from convert.bundle.target import ARCHES, BUDGETS, KINDS, MEGABYTE, PYTHONS, Budget, Target
from convert.certificate import certificate_lines
from function.command_line import Command, run

MODELS = Path("models")
models_option = click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=MODELS,
    show_default=True,
    metavar="DIR",
    help="Folder of model directories.",
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
    "--keep-background",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Explain from N of your training rows, which go with the model; not from made-up ones.",
)
def build(
    source: str,
    name: str,
    models: Path,
    data: Path | None,
    target: str | None,
    trust: tuple[str, ...],
    keep_background: int | None,
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
    built = build_model(loaded, name, models, report, keep_background)
    for line in certificate_lines(name, built.version, built.manifest):
        click.echo(line)
    state = "written to" if built.new else "is the same, byte for byte, as"
    click.echo(f"{name} version {built.version} {state} {built.directory}")


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
def import_(
    file: Path, name: str, models: Path, sample: Path | None, expected: Path | None
) -> None:
    """Take a model that another framework exported as ONNX.

    Without --expected nothing says that it answers as the framework did: the manifest then calls
    it unverified.
    """
    from convert.errors import WrongUse
    from convert.import_onnx import import_lines, import_onnx

    if expected is not None and sample is None:
        raise WrongUse("--expected: answers without their rows", "Add --sample IN.npz.")
    built = import_onnx(file, name, models, report, sample, expected)
    for line in import_lines(name, built.version, built.manifest):
        click.echo(line)
    state = "written to" if built.new else "is the same, byte for byte, as"
    click.echo(f"{name} version {built.version} {state} {built.directory}")


@main.command(cls=Command, example="python -m convert verify models/house-prices/1")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR/N/V")
def verify(directory: Path) -> None:
    """Check a model directory's hashes and replay its golden rows."""
    from convert.errors import WrongUse
    from convert.golden import verify as verify_directory

    versions = sorted(directory.resolve().glob("*/manifest.json"))
    if versions and not (directory / "manifest.json").exists():
        raise WrongUse(
            f"DIR/N/V: expected one version of a model, got '{directory}'",
            f"For example {versions[0].parent}",
        )
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
    "--target", "kind", type=click.Choice(KINDS), default="lambda", show_default=True,
    help="Where it will run.",
)  # fmt: skip
@click.option(
    "--python", type=click.Choice(PYTHONS), default="3.13", show_default=True,
    help="The Python there.",
)  # fmt: skip
@click.option(
    "--arch", type=click.Choice(ARCHES), default="aarch64", show_default=True,
    help="The architecture there.",
)  # fmt: skip
@click.option("--release", type=click.IntRange(1), metavar="R", help="A device bundle's number.")
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
    require_pyc: bool,
    max_zipped: float | None,
    max_unpacked: float | None,
    out: Path,
) -> None:
    """Build one zip for one Python and one architecture, on any machine.

    It has the highest version of each model, the function, and what that needs: locked, its
    hashes checked, stripped of what is never loaded. The same input gives the same bytes.
    """
    from convert.bundle.contents import choose_models
    from convert.bundle.package import package as write_bundle

    target = Target(kind, python, arch)
    _check_package(kind, release, out)
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


def _check_package(kind: str, release: int | None, out: Path) -> None:
    from convert.errors import WrongUse

    if platform.system() not in ("Linux", "Darwin"):
        raise WrongUse(f"packaging works on Linux and macOS, got {platform.system()}")
    if out.suffix != ".zip":
        raise WrongUse(f"--out: expected a name that ends in .zip, got '{out}'")
    if release is not None and kind != "device":
        raise WrongUse("--release: only device bundles are numbered", "Add --target device.")
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
