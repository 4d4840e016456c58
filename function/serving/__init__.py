"""Choose a model, validate, run, count; golden rows."""
