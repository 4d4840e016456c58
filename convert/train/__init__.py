"""From a table to a fitted pipeline: columns, validation, search."""
