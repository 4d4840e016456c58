"""Where estimators and tables come from: the user's code, and files that may not be trusted."""
