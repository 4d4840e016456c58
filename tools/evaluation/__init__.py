"""What is tried on others' estimators, examples and figures: hours, and no part of the tests."""
