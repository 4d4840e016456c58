"""The native protocol: rows in JSON or CSV, answers by output name."""
