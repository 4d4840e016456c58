"""`edge serve`: this process serves, or it supervises several that do."""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

from onnxlet.edge.settings.device import KEYS, DeviceSettings
from onnxlet.function.errors import OnnxletError
from onnxlet.function.settings import Settings

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of this container: microseconds of each period


def main() -> None:
    """`edge serve` without options, as the service's unit runs it; starts faster without click."""
    try:
        settings = Settings.from_environ(os.environ)
        serve(settings.models, DeviceSettings.from_environ(os.environ), settings)
    except OnnxletError as error:
        from onnxlet.commands import exit_with  # its imports take 10 ms of a start

        exit_with(error)


def serve(models: Path, device: DeviceSettings, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished unless a second one comes.

    Raises ServeError where the address is taken, others could ask without a key, or a worker can't
    start; TlsError where the certificate or its key can't be used; OnnxletError where the settings
    or the models can't be.
    """
    settings = with_keys(models, settings)
    workers = device.workers or cores()
    if workers > 1:
        from onnxlet.edge.workers.supervisor import supervise

        supervise(models, device, settings, workers)
    else:
        from onnxlet.edge.service.serve import serve as serve_alone

        serve_alone(models, device, settings)


def with_keys(models: Path, settings: Settings) -> Settings:
    """Settings with the keys that are kept in a folder of models, too."""
    if not os.path.lexists(models / KEYS):
        return settings
    from onnxlet.edge.settings import keys  # many servers have no such file

    return keys.with_kept_keys(models / KEYS, settings)


def cores(quota: Path = QUOTA) -> int:
    """Cores that this process may run on, and a container's limit where that is lower."""
    # macOS has no affinity; a Python newer than ours would count as this does.
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, no limit ("max"), or cgroups of old
        allowed, period = map(int, quota.read_text().split())
        return min(may, max(1, ceil(allowed / period)))
    return may
