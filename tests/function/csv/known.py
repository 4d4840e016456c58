"""A table whose values are known, and whether a file that was written from it has them."""

from __future__ import annotations

from collections.abc import Sequence

Known = Sequence[Sequence[str | float]]
HEADER = ("Name", "Umsatz, netto", "Anzahl", "Tag", "Code", "y")
ROWS: Known = [
    HEADER,
    ("Müller, Söhne", 1335.97, 3, "2024-02-29", "01234", "nein"),
    ('says "hi"; twice', -0.5, 0, "2024-03-01", "00007", "ja"),
    ("two\nlines", 12, -4, "1999-12-31", "40210", "nein"),
    ("Straße | Tür", 1000000.25, 120, "2024-01-05", "09999", "nein"),
    ("Œuvre", 0.75, 7, "2023-07-14", "00100", "ja"),
    ("Zoë", 99.9, 1, "2025-11-30", "31337", "ja"),
]
# Without line breaks and quotes, for what can't write them.
FLAT: Known = [
    tuple(c.replace("\n", " ").replace('"', "") if isinstance(c, str) else c for c in row)
    for row in ROWS
]
