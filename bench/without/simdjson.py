"""Found before the real one, so that what is measured is what is deployed unless asked for more."""

raise ImportError("left out by the bench")
