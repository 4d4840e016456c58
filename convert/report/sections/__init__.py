"""The sections of a report, each with its sentences, its plots and its place in page and card."""
