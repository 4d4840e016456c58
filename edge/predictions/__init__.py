"""The prediction store: answers are kept until their ground truth comes, and are counted then."""
