"""Where estimators come from: the user's code, and files that may not be trusted."""
