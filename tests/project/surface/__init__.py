"""The public surface: every name that others rely on, as it is, and as it was recorded.

A surface is sections, which have names and what each of them is, in words: compared as text. What
is stable, and how long, stands in docs/reference/stability.md. `make surface` records it.
"""
