"""What a million requests cost on Lambda: measured times and stated prices, worked out in steps."""

from __future__ import annotations

import math
from typing import NamedTuple

from bench.report import row, table

# US dollars, arm64 in us-east-1, November 2026, without the free tier:
# https://aws.amazon.com/lambda/pricing, /api-gateway/pricing, /cloudwatch/pricing
GIGABYTE_SECOND = 0.0000133334
MILLION_INVOCATIONS = 0.20
MILLION_HTTP_API_CALLS = 1.00
GIGABYTE_OF_LOG = 0.50
WHOLE_CORE_MEGABYTES = 1769  # a function of this size has one core, a smaller one its share
SIZES = (128, 1024)  # MB: the smallest, and serverless.yml's default
MILLION = 1_000_000
COLD_SHARE = 0.01  # of the requests that come upon a new instance


class Measured(NamedTuple):
    """What the bench measured on one whole core."""

    warm_ms: float  # of a one-row request, the runtime's own part included
    init_ms: float  # from an instance's start to where it can answer
    log_bytes: float  # that a request writes


class Cost(NamedTuple):
    """What a million requests cost, in US dollars."""

    warm_ms: int  # billed for one request, rounded up to whole milliseconds
    init_ms: int  # billed for one new instance
    compute: float  # memory by time
    requests: float  # invocations, and calls of the HTTP API
    log: float  # that is taken in

    @property
    def whole(self) -> float:
        """The sum, in US dollars."""
        return self.compute + self.requests + self.log


def cost(measured: Measured, megabytes: int) -> Cost:
    """The bill for a million requests to a function of this size."""
    share = min(1.0, megabytes / WHOLE_CORE_MEGABYTES)
    warm, init = (math.ceil(ms / share) for ms in (measured.warm_ms, measured.init_ms))
    seconds = MILLION * (warm + COLD_SHARE * init) / 1000
    return Cost(
        warm,
        init,
        seconds * megabytes / 1024 * GIGABYTE_SECOND,
        MILLION_INVOCATIONS + MILLION_HTTP_API_CALLS,
        MILLION * measured.log_bytes / 1e9 * GIGABYTE_OF_LOG,
    )


def section(measured: Measured) -> str:
    """The table, and what it rests on."""
    head = ["memory", "billed warm", "billed init", "compute", "requests", "log", "a million"]
    rows = []
    for size in SIZES:
        each = cost(measured, size)
        dollars = [f"${part:.2f}" for part in (each.compute, each.requests, each.log, each.whole)]
        cells = [f"{size} MB", f"{each.warm_ms} ms", f"{each.init_ms} ms", *dollars]
        rows.append(row(*cells))
    return (
        f"A million one-row requests through an HTTP API, of which {COLD_SHARE:.0%} meet a new "
        f"instance, by the times measured above ({measured.warm_ms:.2f} ms warm, "
        f"{measured.init_ms:.0f} ms init, {measured.log_bytes:.0f} bytes of log, on one whole "
        f"core; a function of {WHOLE_CORE_MEGABYTES} MB has that, a smaller one takes longer by "
        f"its share) and these prices (US dollars, arm64, us-east-1, November 2026, no free tier): "
        f"{GIGABYTE_SECOND:.10f} a GB-second, {MILLION_INVOCATIONS:.2f} a million invocations, "
        f"{MILLION_HTTP_API_CALLS:.2f} a million HTTP API calls, {GIGABYTE_OF_LOG:.2f} a GB of "
        f"log. A function URL saves the API's part.\n\n{table(head, rows)}"
    )
