"""The app as a server runs it: with metrics, a time limit for runs, and models that reload."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.edge.aggregation.requests import ServerCounts
from onnxlet.edge.device.slots import with_updates
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.edge.service.process import use_one_arena
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.function import deadline, request_log
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.http.fast_path import App
from onnxlet.function.messages import Prediction, Reply
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.serving.service import Observe
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.counters import Counters
    from onnxlet.edge.aggregation.link import Link
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.edge.predictions.prediction_store import PredictionStore
    from onnxlet.edge.tracing.exporter import Exporter, SpanCounts
    from onnxlet.function.serving.service import Service

FILE = "kept.db"  # beside the queue of predictions that are forwarded


def make_app(
    models: Path,
    observe: Observe | None = None,
    secret: Secret | None = None,
    log: request_log.Log = request_log.write,
    forward: Forwarder | None = None,
    settings: Settings | None = None,
    keep: PredictionStore | None = None,
    link: Link | None = None,
    tracing: Exporter | None = None,
) -> App:
    """Make the app, and start its two background threads: the time limit's and the reloader's.

    On a device, a slot's models have model-only updates beside them. `observe` is called with each
    prediction that was answered, by default `forward` is; `keep` is started here. A secret's
    requests are counted and traced nowhere. Workers that serve the same models answer as one by way
    of a link. SettingsError is raised where an environment variable can't be used, ModelError where
    there is no model, or one can't be loaded.
    """
    use_one_arena()
    secret = secret or Secret()
    settings = secret.added_to(settings or Settings.from_environ(os.environ))
    meter = RequestMeter(forward, ServerCounts(secret.request_id))
    models, updates = with_updates(models)
    observe = observe or (forward.observe if forward else None)
    observe = _both(observe, keep.observe) if keep else observe
    observed, logged = secret.unobserved(observe), secret.unlogged(log)
    keys, shared = settings.block_keys, None
    watches = Watches(settings.watch, secret.request_id, keys=keys)
    if link is not None:
        from onnxlet.edge.aggregation.counters import Counters  # not where one process serves
        from onnxlet.edge.aggregation.models import SharedModels

        counts = Counters(link, settings.watch, secret.request_id, keys)
        shared = SharedModels(link)
        meter.counts, watches, meter.requests = counts, counts.watches, counts.requests
    routes = []
    if forward is not None or keep is not None:
        from onnxlet.edge.predictions import truth_route  # slow to import

        routes = [truth_route.route(forward, keep)]
    app = create_app(
        models,
        observed,
        settings,
        meter,
        logged,
        updates,
        routes,
        watches,
        keep,
        meter.requests,
        shared.begin if shared else None,
    )
    service = app.extensions[SERVICE]
    repository = service.repository
    if keep:
        if link is not None:
            from onnxlet.edge.aggregation.ground_truth import SharedTruth

            SharedTruth(link, keep)
        keep.start(repository)
    deadline.watch(settings.max_seconds)
    reloader = shared.start(repository) if shared else Reloader(repository)
    if tracing:
        meter.tracing = tracing.counts
        rules = (route.rule for route in service.routes)
        app.wsgi_app = tracing.follow(app.wsgi_app, rules, secret.request_id)
    if meter.counts:
        meter.counts.start(service, forward, meter.tracing)
    if settings.reload_seconds:
        meter.reloader = reloader
        meter.reloader.start(settings.reload_seconds)
    return app


def _both(first: Observe | None, second: Observe) -> Observe:
    if first is None:
        return second

    def observe(prediction: Prediction) -> None:
        first(prediction)
        second(prediction)

    return observe


def start_forwarding(options: ForwardOptions) -> Forwarder | None:
    """Keep and send predictions until the process ends; None if no URL is set.

    SettingsError is raised where the CA certificates can't be read, or the URL has no address.
    """
    if not options.url:
        return None
    from onnxlet.edge.forward import forwarder  # slow to import

    return forwarder.start(options)


def start_keeping(settings: Settings, forward: ForwardOptions) -> PredictionStore | None:
    """Keep answers until the process ends; None if neither this nor forwarding is set.

    SettingsError is raised where the database can't be where it is set to be.
    """
    path = settings.keep or (forward.queue.with_name(FILE) if forward.url else None)
    if path is None:
        return None
    from onnxlet.edge.predictions import prediction_store  # slow to import

    return prediction_store.start(
        path, settings.keep_mb, settings.keep_days, named=settings.keep is not None
    )


def start_tracing(environ: Mapping[str, str]) -> Exporter | None:
    """Send spans to the collector that these variables name; None if they name none."""
    if not any(environ.get(f"OTEL_EXPORTER_OTLP_{each}ENDPOINT") for each in ("", "TRACES_")):
        return None
    from onnxlet.edge.tracing import exporter  # most servers have no collector

    return exporter.start(environ)


class RequestMeter:
    """Shows what was counted of requests and rows, with what else is known of this process."""

    def __init__(
        self, forward: Forwarder | None = None, requests: ServerCounts | None = None
    ) -> None:
        self.requests = requests or ServerCounts()  # those of this process
        # Knows which versions were refused; None if nothing is reloaded.
        self.reloader: Reloader | None = None
        self.forward = forward  # keeps predictions; None if nothing is kept
        self.tracing: SpanCounts | None = None  # None if nothing is traced
        self.drift = DriftReports()  # of the models that are served
        self.counts: Counters | None = None  # those of all workers; None where one process serves
        # Called once a scrape has imported its modules, so that later ones are fast.
        self.imported: Callable[[], object] = lambda: None

    def expose(self, service: Service, accept: str, on_rows: bool) -> Reply:
        """Metrics in the format that the client accepts: Prometheus' or OpenMetrics'.

        Those of drift are left out where they may not be read: `on_rows`.
        """
        from onnxlet.edge.service.metrics import expose  # a server that nobody scrapes does without

        reply = expose(self, service, accept, on_rows)
        self.imported()
        return reply
