"""Switches all workers to other models, or none of them.

What is served is agreed on, as a description of the catalogue. A worker that starts begins with the
last agreement; of those that start together the first one's folders count.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from onnxlet.edge.reload.descriptions import begun, describe, hash_in
from onnxlet.edge.reload.reloader import RefusedVersion, Reloader
from onnxlet.function import json_text
from onnxlet.function.errors import ModelError

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.link import Link
    from onnxlet.function.models.repository import Begin, Repository

TOPIC = "models"
PATIENCE_SECONDS = 10.0  # for an answer of the supervisor, which needs a millisecond


class SharedModels:
    """This worker's part in what all of them serve; a `Peers` of its reloader."""

    def __init__(self, link: Link) -> None:
        self.described: bytes | None = None  # what was agreed on last; None before that
        self._link = link  # to the others
        self._reloader: Reloader | None = None
        self._changed = threading.Condition()
        link.agreed(TOPIC, self._agree)

    @property
    def begin(self) -> Begin | None:
        """What a repository serves first: what was agreed on; None before that."""
        return None if self.described is None else partial(begun, self.described)

    def start(self, repository: Repository) -> Reloader:
        """Serve what the others serve, and switch with them from now on.

        Returns what scans the folders once it is started. ModelError is raised where what the
        others serve can't be loaded here.
        """
        self._conform(repository)
        self._reloader = Reloader(repository, self)
        self._link.provide(TOPIC, self._state)
        return self._reloader

    def propose(self, described: bytes) -> None:
        """Say what this worker would serve."""
        self._link.propose(TOPIC, described)

    def refused(self) -> Iterator[RefusedVersion]:
        """What the others have refused."""
        for state in self._others():
            for name, number, stamp, why in state["refused"]:
                yield RefusedVersion((name, number), tuple(map(tuple, stamp)), why)

    def leads(self) -> bool:
        """Whether no worker of a lower number answers."""
        return all(state["number"] > self._link.number for state in self._others())

    def _conform(self, repository: Repository) -> None:
        """Propose what is served here until it is what was agreed on: others may be first."""
        for _ in range(3):
            here = describe(
                repository.catalogue,
                lambda name, number: hash_in(repository.directory(name, number)),
            )
            self.propose(here)
            with self._changed:
                self._changed.wait_for(lambda: self.described is not None, PATIENCE_SECONDS)
                agreed = self.described
            if agreed in (here, None):
                return
            repository.catalogue = begun(agreed, repository)
        raise ModelError(
            "the folders of models change while this worker starts", "It is started again."
        )

    def _agree(self, described: bytes) -> None:
        with self._changed:
            self.described = described
            self._changed.notify_all()
        if self._reloader is not None:
            self._reloader.agree(described)

    def _state(self) -> bytes:
        refused = self._reloader.refusals() if self._reloader else []
        form = [[*each.key, each.stamp, each.why] for each in refused]
        return json_text.dumps({"number": self._link.number, "refused": form})

    def _others(self) -> list[dict[str, Any]]:
        return [json_text.loads(state) for state in self._link.collect(TOPIC)]
