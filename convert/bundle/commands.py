"""`convert package` and `convert publish`."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onnxlet.commands import Command
from onnxlet.convert.bundle.parts import ARCHES, MEGABYTE, PYTHONS, Budget, Machine
from onnxlet.convert.bundle.targets import TARGETS, BundleTarget
from onnxlet.convert.options import models_option, report

if TYPE_CHECKING:
    from onnxlet.convert.bundle.package import Order
    from onnxlet.convert.bundle.sign import SigningKey


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


@click.command(
    cls=Command,
    example="{command} --arch aarch64 --out build/onnxlet.zip",
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
    "--target", "kind", type=click.Choice([*TARGETS]), default="lambda",
    show_default=True, help="Where it will run; or only models, for devices that run.",
)  # fmt: skip
@click.option(
    "--python", type=click.Choice(PYTHONS), default="3.13", show_default=True,
    help="The Python there.",
)  # fmt: skip
@click.option(
    "--arch", type=click.Choice(ARCHES),
    help="The architecture there.  [default: aarch64; of an image, this machine's]",
)  # fmt: skip
@click.option(
    "--release", type=click.IntRange(1), metavar="R",
    help="Number for devices and browsers, which only take higher ones; an image's tag.",
)  # fmt: skip
@sign_option(required=False)
@click.option("--channel", callback=_word, default="stable", show_default=True, metavar="C",
    help="Sign it for devices of this channel.",
)  # fmt: skip
@click.option("--name", callback=_word, default="onnxlet", show_default=True, metavar="N",
    help="Sign it for devices of this name (ONNXLET_DEVICE_NAME); an image's or app's name.",
)  # fmt: skip
@click.option(
    "--require-pyc", is_flag=True, help="Stop where there is no such Python to compile with."
)
@click.option("--max-zipped", type=click.FloatRange(0), metavar="MB", help="Budget of the zip.")
@click.option("--max-unpacked", type=click.FloatRange(0), metavar="MB", help="Budget unpacked.")
@click.option("--no-models", is_flag=True, help="An image without models: they come by a volume.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="PATH",
    help="The zip to write, an image's tar, or the folder for browsers.",
)  # fmt: skip
def package(
    models: Path,
    names: tuple[str, ...],
    remote: tuple[str, ...],
    kind: str,
    python: str,
    arch: str | None,
    release: int | None,
    sign: Path | None,
    channel: str,
    name: str,
    require_pyc: bool,
    max_zipped: float | None,
    max_unpacked: float | None,
    no_models: bool,
    out: Path,
) -> None:
    """Build one zip, or a container image, for one Python and one architecture; or a website.

    It has of each model the version that is served and those that have names, the function, and
    what that needs: locked, its hashes checked, stripped of what is never loaded. The same input
    gives the same bytes. An image has a device's bundle and Debian's Python, and needs a Debian or
    Ubuntu to be built on, but no container engine. A folder for browsers has
    Pyodide's Python whatever is asked for, takes the next number by itself, and needs Node.js.
    """
    from onnxlet.convert.bundle.contents import choose_models
    from onnxlet.convert.bundle.package import Order

    target = TARGETS[kind]
    machine = Machine(python, arch or target.usual_arch())
    _check_package(target, release, sign, no_models, out)
    signing = _signing_key(sign) if sign else None
    budget = Budget(
        target.budget.zipped if max_zipped is None else round(max_zipped * MEGABYTE),
        target.budget.unpacked if max_unpacked is None else round(max_unpacked * MEGABYTE),
    )
    chosen = []
    if not no_models:
        report(
            f"checking the models for {target.describe(machine)}"
            if target.parts
            else "checking the models"
        )
        chosen = choose_models(models, names, remote if target.parts else ())
    order = Order(
        target.parts, machine, chosen, out, budget, target.limits, name, release, require_pyc
    )
    for line in target.write(order, report, _bar):
        click.echo(line)
    if target.signed_as:
        _sign(target, order, signing, channel)


def _signing_key(file: Path) -> SigningKey:
    from onnxlet.convert.bundle.sign import read_secret_key

    return read_secret_key(
        file, lambda: str(click.prompt(f"password of {file}", hide_input=True, err=True))
    )


def _sign(target: BundleTarget, order: Order, key: SigningKey | None, channel: str) -> None:
    """Sign a bundle for its machine; or models, for all."""
    from onnxlet.convert.bundle.sign import sign_release

    if key is None or order.release is None:
        click.echo(f"{order.out}: not signed")
        return
    whom = order.machine._asdict() if target.parts else {}
    signature = sign_release(
        order.out, key, kind=target.signed_as, release=order.release, channel=channel,
        name=order.name, **whom,
    )  # fmt: skip
    click.echo(f"{signature}: the signature, to go with it")


@click.command(
    cls=Command,
    example="{command} build/onnxlet.zip s3://releases/pumps --sign pumps.key",
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
    from onnxlet.convert.bundle.publish import publish as put
    from onnxlet.convert.bundle.publish import record_of, storage_of
    from onnxlet.convert.bundle.sign import read_public_key

    trusted = [read_public_key(file) for file in trust]
    storage, record = storage_of(target), record_of(sign, target)
    key = _signing_key(sign)
    click.echo(put(archive, storage, key, percent, trusted, record, earlier_index))


def _check_package(
    target: BundleTarget, release: int | None, sign: Path | None, no_models: bool, out: Path
) -> None:
    from onnxlet.function.errors import WrongUse

    here = platform.system()
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    checks = (
        (here in ("Linux", "Darwin"), f"packaging works on Linux and macOS, got {here}", ""),
        (
            not target.suffix or out.suffix == target.suffix,
            f"--out: expected a name that ends in {target.suffix}, got '{out}'",
            "",
        ),
        (not (target.suffix and out.is_dir()), f"--out: '{out}' is a folder", "Name a file."),
        (
            target.may_lack_models or not no_models,
            "--no-models: only an image can be without",
            "Add --target image.",
        ),
        (
            target.is_numbered or release is None,
            "--release: only device bundles are numbered",
            "Add --target device.",
        ),
        (
            bool(target.signed_as) or not sign,
            "--sign: only what devices take is signed",
            "Add --target device.",
        ),
        (
            release is not None or not (sign or target.needs_number),
            "--release: a number is missing",
            "Devices only take higher ones.",
        ),
        (parent.is_dir(), f"--out: '{parent}' is not a folder", "Choose another path with --out."),
    )
    for holds, message, hint in checks:
        if not holds:
            raise WrongUse(message, hint)
    try:
        tempfile.TemporaryFile(dir=parent).close()  # os.access lets root write into /sys
    except OSError as error:
        raise WrongUse(
            f"--out: '{parent}' can't be written to: {error.strerror}",
            "Choose another path with --out.",
        ) from error


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, where that is a terminal."""
    with click.progressbar(length=total, file=sys.stderr, label="  zipping") as bar:
        yield bar.update


COMMANDS = (package, publish)
