"""Version 2's routes beside inference: metadata, health, statistics, repository index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.folders import VERSION
from onnxlet.function.errors import MalformedRequest
from onnxlet.function.messages import Reply, Request, Route, json_reply
from onnxlet.function.protocols.v2.tensors import BY_TYPE

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model
    from onnxlet.function.serving.service import Service

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_repository",
    "parameters",
    "statistics",
)
NO_LOADING = (
    "models are not loaded and unloaded by request: put a version into the models directory, "
    "or take it out"
)


def _server(service: Service, request: Request) -> Reply:
    return json_reply({"name": "onnxlet", "version": VERSION, "extensions": EXTENSIONS})


def _live(service: Service, request: Request) -> Reply:
    return json_reply({"live": True})


def _ready(service: Service, request: Request) -> Reply:
    ready: dict[str, Any] = {"ready": True}  # models are loaded before the app exists
    if seconds := service.repository.progress.seconds_still():
        ready["reload"] = f"a look at the models' folder is not done after {seconds:.0f} s"
    return json_reply(ready)


def _models(service: Service, request: Request) -> Reply:
    return json_reply({"models": service.repository.names})


def _model_ready(
    service: Service, request: Request, name: str, version: str | None = None
) -> Reply:
    model = service.repository.choose(name, version)
    return json_reply({"name": model.name, "ready": True})


def _model(service: Service, request: Request, name: str, version: str | None = None) -> Reply:
    return json_reply(metadata(service, service.repository.choose(name, version)))


def metadata(service: Service, model: Model) -> dict[str, Any]:
    """What goes into a model and what comes out, and the classes of its probabilities."""
    signature = model.signature
    form: dict[str, Any] = {
        "name": model.name,
        "versions": [str(version) for version in service.repository.versions(model.name)],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor(each.name, each.type, each.shape) for each in signature.inputs],
        "outputs": [
            _tensor(each.name, model.output_types[each.name], each.shape)
            for each in signature.outputs
        ],
    }
    parameters: dict[str, Any] = {}
    if model.classes is not None:
        parameters["classes"] = model.classes
    if aliases := service.repository.aliases(model.name):
        parameters["aliases"] = aliases
    optional = [each.name for each in signature.inputs if not each.required]
    if optional:
        parameters["optional_inputs"] = optional
    return {**form, "parameters": parameters} if parameters else form


def _tensor(name: str, kind: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": BY_TYPE[kind], "shape": shape}


def _index(service: Service, request: Request) -> Reply:
    repository = service.repository
    return json_reply(
        [
            {"name": name, "version": str(version), "state": "READY", "reason": ""}
            for name in repository.names
            for version in repository.versions(name)
        ]
    )


def _not_loaded(service: Service, request: Request, name: str) -> Reply:
    raise MalformedRequest(NO_LOADING)


def _model_statistics(
    service: Service, request: Request, name: str, version: str | None = None
) -> Reply:
    model = service.repository.choose(name, version)
    return json_reply({"model_stats": [_statistics(service, model.name, model.version)]})


def _all_statistics(service: Service, request: Request) -> Reply:
    repository = service.repository
    models = [repository.choose(name) for name in repository.names]
    return json_reply({"model_stats": [_statistics(service, m.name, m.version) for m in models]})


def _statistics(service: Service, name: str, version: int) -> dict[str, Any]:
    """Triton's form; nothing waits in a queue here, and nothing is batched with others."""
    count = service.stats.of(name, version)
    parts = {"queue": 0, **count.stages_ns}
    return {
        "name": name,
        "version": str(version),
        "last_inference": count.last_ms,
        "inference_count": count.rows,
        "execution_count": count.answered,
        "inference_stats": {
            "success": {"count": count.answered, "ns": count.answered_ns},
            "fail": {"count": count.refused, "ns": count.refused_ns},
            **{part: {"count": count.answered, "ns": ns} for part, ns in parts.items()},
        },
        "batch_stats": [],
    }


def _both(rule: str, answer: Any) -> list[Route]:
    """A model's route, also for one of its versions."""
    return [
        Route("GET", f"/v2/models/<name>{rule}", answer),
        Route("GET", f"/v2/models/<name>/versions/<version>{rule}", answer),
    ]


ROUTES: Sequence[Route] = (
    Route("GET", "/v2", _server),
    Route("GET", "/v2/health/live", _live, open=True, urgent=True),
    Route("GET", "/v2/health/ready", _ready, open=True, urgent=True),
    Route("GET", "/v2/models", _models),
    Route("GET", "/v2/models/stats", _all_statistics),
    *_both("", _model),
    *_both("/ready", _model_ready),
    *_both("/stats", _model_statistics),
    Route("POST", "/v2/repository/index", _index),
    Route("POST", "/v2/repository/models/<name>/load", _not_loaded),
    Route("POST", "/v2/repository/models/<name>/unload", _not_loaded),
)
