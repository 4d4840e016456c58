"""Hatchling's hook: the bill of materials goes into the wheel and the source archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BILL = "build/onnxlet.cdx.json"  # that `make dist` has written; whoever builds otherwise has none
HOOK = "tools/bill_hook.py"  # which builds the wheel from the source archive, too


class BillHook(BuildHookInterface[Any]):
    """Adds the bill where it is."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add what hatchling would leave out."""
        here = Path(self.root)
        known = [BILL] if (here / BILL).is_file() else []
        if self.target_name == "sdist":
            build_data["force_include"] |= {str(here / each): each for each in [HOOK, *known]}
        elif self.target_name == "wheel" and version == "standard":
            build_data["sbom_files"] += known
