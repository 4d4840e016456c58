"""AWS Lambda's entry: `onnxlet.function.handler.handler`.

Importing this module loads the settings and the models; where that fails the process fails,
loudly, before it has taken a request.
"""

from __future__ import annotations

import gc

# Garbage collection during the imports finds nothing, and takes a tenth of the start.
gc.disable()

import os  # noqa: E402
import time  # noqa: E402

START = time.perf_counter()

from importlib import import_module  # noqa: E402
from typing import Any  # noqa: E402

import onnxlet.environment  # noqa: E402, F401
from onnxlet.function.app import SERVICE, create_app  # noqa: E402
from onnxlet.function.aws import lambda_events, native_events, quick_events  # noqa: E402
from onnxlet.function.aws.lambda_log import LambdaLog  # noqa: E402
from onnxlet.function.errors import SettingsError  # noqa: E402
from onnxlet.function.monitoring.watches import Watches  # noqa: E402
from onnxlet.function.serving.service import Service  # noqa: E402
from onnxlet.function.settings import Settings  # noqa: E402

SETTINGS = Settings.from_environ(os.environ)
if SETTINGS.keep is not None:
    raise SettingsError(
        "ONNXLET_KEEP: a function's disk goes with its instance: nothing can be kept there",
        "Leave it out; a server or a device keeps predictions.",
    )
LOG = LambdaLog(SETTINGS.metrics_namespace)
# Instances come and go: what each has counted is in its log, to be added up.
WATCHES = Watches(SETTINGS.watch, uncounted=native_events.GOLDEN, logged=True)
APP = create_app(SETTINGS.models, settings=SETTINGS, log=LOG.write, watches=WATCHES)
SERVED: Service = APP.extensions[SERVICE]

# What the imports made stays for ever: later collections need not look at it.
gc.freeze()
gc.enable()


def handler(event: Any, context: Any) -> Any:
    """Answer one event.

    Args:
        event: an HTTP request (REST or HTTP API, function URL, load balancer); a native request
            as it is: a list of rows, or an object with `instances`; a batch of these from an SQS
            queue; objects that came into S3, also from such a queue; or an EventBridge schedule's,
            which keeps this instance warm.
        context: Lambda's.

    Returns:
        For an HTTP request the response in its sender's form; for a native one the native
        answer as an object, or the error in its native form; for a batch the records that
        failed; for objects what came of each. Errors of requests are never raised, of whatever
        class. Others are, so that Lambda counts them and an alarm rings: a batch or objects whose
        answers can go nowhere, objects that may be answered when their event comes again, and a
        schedule that finds a model not answering.
    """
    if lambda_events.is_http(event):
        return lambda_events.respond(APP, event, context, LOG.write)
    if isinstance(event, dict) and "Records" in event:
        from onnxlet.function.aws import (
            queue_events,  # 3 ms that a start without a queue need not pay
        )

        if queue_events.is_batch(event):
            return _answer_batch(event["Records"], context)
    if isinstance(event, dict) and ("Records" in event or event.get("source") == "aws.s3"):
        from onnxlet.function.aws import s3_events  # likewise

        if (objects := s3_events.created(event)) is not None:
            return s3_events.answer(objects, s3_events.scoring_of(SERVED, LOG.write), context)
    if native_events.is_scheduled(event):
        return _warm_up()
    return native_events.invoke(SERVED, event, context, LOG.write)


def _answer_batch(records: list[dict[str, Any]], context: Any) -> dict[str, Any]:
    """Answer the records of a queue: native requests first, which take less than objects do."""
    ids = [record["messageId"] for record in records]
    failed = set[str]()
    messages: dict[str, Any] = {}
    if SETTINGS.score_from is not None:
        from onnxlet.function.aws import s3_events

        found = {record["messageId"]: s3_events.in_message(record) for record in records}
        messages = {name: objects for name, objects in found.items() if objects is not None}
    if requests := [record for record in records if record["messageId"] not in messages]:
        failed |= _answer_requests(requests, context)
    if messages:
        scoring = s3_events.scoring_of(SERVED, LOG.write)
        failed |= {*s3_events.answer_messages([*messages.items()], scoring, context, not requests)}
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids if each in failed]}


def _answer_requests(records: list[dict[str, Any]], context: Any) -> set[str]:
    url = SETTINGS.answers_queue
    if url is None:
        raise SettingsError(
            "ONNXLET_ANSWERS_QUEUE is not set: answers to queued requests can go nowhere",
            "Set it to the URL of an SQS queue.",
        )
    from onnxlet.function.aws import queue_events

    send, fifo = queue_events.sender(url), url.endswith(".fifo")
    answer = queue_events.answer_batch(
        records, SERVED, send, fifo, LOG.write, native_events.seconds_left(context)
    )
    return {each["itemIdentifier"] for each in answer["batchItemFailures"]}


def _warm_up() -> dict[str, Any]:
    start = time.perf_counter()
    names = native_events.warm_up(SERVED)
    ms = round((time.perf_counter() - start) * 1e3, 3)
    LOG.write({"method": "warm", "status": 200, "ms": ms})
    return {"warm": names}


def _before_snapshot() -> None:
    """Do what would else be done after each restore."""
    quick_events.serverless_wsgi()  # a start leaves it out
    native_events.warm_up(SERVED)
    APP.flask()
    import_module("numpy")
    gc.collect()
    gc.freeze()


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    # A part of Lambda's runtime, which is there only where snapshots are taken.
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    register_before_snapshot(_before_snapshot)
    register_after_restore(LOG.restored)

LOG.ready((time.perf_counter() - START) * 1e3)
