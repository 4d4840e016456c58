"""`edge mqtt`, which looks every 0.2 seconds at what there is to publish of drift."""

from __future__ import annotations

from onnxlet.edge.command_line import main
from onnxlet.edge.mqtt import announcer

if __name__ == "__main__":
    announcer.SECONDS = 0.2
    main()
