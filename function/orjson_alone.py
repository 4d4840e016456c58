"""orjson, imported without modules whose types it looks for in what it writes.

Nothing here writes a dataclass, an id or a time zone, and importing these modules takes a tenth of
a start: dataclasses imports inspect, and uuid platform.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from onnxlet.function.stubs import stubs

__all__ = ["orjson"]


class Absent:
    """Stands for a class of which no object is ever written."""


LOOKED_AT = {
    "dataclasses": {"_FIELD": Absent()},
    "uuid": {"UUID": Absent},
    "zoneinfo": {"ZoneInfo": Absent},
}

if TYPE_CHECKING:
    import orjson
else:
    # Other threads may import the real ones meanwhile.
    with stubs(LOOKED_AT if threading.active_count() == 1 else {}):
        import orjson
