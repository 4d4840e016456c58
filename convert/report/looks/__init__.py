"""Colours, and how numbers and names are written: what plots, sentences and pages share."""
