"""Connecting to a scheduler whose workers have what is here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.workers import remote
from onnxlet.convert.workers.sent import different
from onnxlet.function.errors import WrongUse

if TYPE_CHECKING:
    from distributed import Client

CONNECT = 10.0  # seconds for a scheduler to answer, and to have a worker
CLOSE = 20.0  # seconds to take leave
SHOWN = 3  # workers in a message
EXAMPLE = "Start one with `dask scheduler`, and `dask worker tcp://HOST:8786` on each machine."


@contextmanager
def connected(
    address: str, packages: Sequence[str]
) -> Iterator[tuple[Client, dict[str, str | None]]]:
    """A client of a scheduler, whose workers have the same versions as this Python; and these.

    `packages` are names of the distributions that answers depend on.

    Raises:
        WrongUse: nothing answers there as a scheduler does, or Dask is not installed.
        Refusal: it has no worker, or one that would answer otherwise.
    """
    client_class = _imported()  # which sets how much is logged
    with _quiet():
        client = _client(client_class, address)
        try:
            yield client, _checked(client, packages)
        finally:
            client.close(timeout=CLOSE)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Dask logs of a scheduler that is not there: we say so."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _imported() -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise WrongUse(
            f"--scheduler: expected Dask, got no '{error.name}'",
            "Install the extra [engines], as in: pip install 'onnxlet[convert,engines]'.",
        ) from error
    return Client


def _client(client_class: Any, address: str) -> Client:
    from distributed.versions import VersionMismatchWarning

    try:
        with warnings.catch_warnings():  # `_checked` says which worker has others, and what to do
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return client_class(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise WrongUse(
            f"--scheduler: expected a Dask scheduler at '{address}', got: {shortened(error)}",
            f"The scheduler prints its address when it starts. {EXAMPLE}",
        ) from error


def _checked(client: Client, packages: Sequence[str]) -> dict[str, str | None]:
    """See that there are workers, and that they have what is here, which is returned.

    Raises:
        Refusal: there are none within ten seconds, or some have other versions: all are named.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError as error:
        raise Refusal(
            f"--scheduler: expected a worker at {client.scheduler.address}, "
            f"got none within {CONNECT:.0f} s",
            "Start one with `dask worker tcp://HOST:8786`.",
        ) from error
    here = remote.described(list(packages))
    found = client.run(remote.by_value(remote.described), list(packages), on_error="return")
    faults = {worker: text for worker, has in found.items() if (text := _fault(here, has))}
    if faults:
        shown = "; ".join(f"worker {worker}: {text}" for worker, text in [*faults.items()][:SHOWN])
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise Refusal(f"--scheduler: {shown}{more}", way_out(here))
    return here


def _fault(here: Mapping[str, str | None], has: Any) -> str:
    """What a worker has otherwise, in words; empty where all is the same."""
    if not isinstance(has, Mapping):
        return f"it can't say what it has: {shortened(has)}"
    return different(here, has)


def way_out(here: Mapping[str, str | None]) -> str:
    """How workers come to have what is here."""
    wanted = [f"{n}=={v}" for n, v in here.items() if v and n not in ("Python", "processor")]
    return (
        "Other versions answer with other last digits. Give the workers Python "
        f"{here['Python']} on {here['processor']} with {', '.join(wanted)}."
    )
