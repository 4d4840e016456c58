"""`make surface`: record the surface as it is, where the changelog names all that breaks."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.conftest import model_sources
from tests.kept_builds import kept_builds
from tests.project.surface.comparison import CHANGELOG, RECORDED, changes, promised, report
from tests.project.surface.today import today


def main() -> None:
    """Build what tests ask, and write; or print what the changelog lacks, and write nothing."""
    with tempfile.TemporaryDirectory() as folder:
        now = today(kept_builds(model_sources(), Path(folder)))
    if lacking := report(list(changes(promised(), now)), CHANGELOG.read_text()):
        sys.exit(lacking)
    RECORDED.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
