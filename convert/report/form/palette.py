"""Colours of the report, by the names that its style has for them, in light and dark.

They are the page's (function/http/page), and Okabe and Ito's blue and vermilion for what stands
against the model. matplotlib draws with a placeholder for each, which becomes a variable of CSS.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """One colour of CSS, in hexadecimal: on light ground, and on dark ground."""

    light: str
    dark: str


GRAPHICS = {  # lines and areas: 3:1 at least against the cards that they lie on
    "model": Colour("#0b6b66", "#62c9bf"),
    "other": Colour("#c2500a", "#f0986f"),
    "third": Colour("#0072b2", "#7db8f0"),
    "plain": Colour("#77746c", "#8f959e"),
}
TEXTS = {  # 4.5:1 at least against each ground that they stand on
    "ink": Colour("#1f2226", "#eceae6"),
    "soft": Colour("#5c6169", "#a5abb4"),
    "accent": Colour("#0b6b66", "#62c9bf"),
    "warn": Colour("#8a4b00", "#f0b36f"),
}
GROUNDS = {
    "ground": Colour("#f7f5f1", "#121417"),
    "card": Colour("#ffffff", "#1a1d21"),
    "sunk": Colour("#f3f1ec", "#15171b"),
    "tint": Colour("#e3f0ee", "#1b302f"),
    "warn-tint": Colour("#fbf0e0", "#2d2416"),
}
LINES = {"line": Colour("#e2ded6", "#2c3036"), "edge": Colour("#8b877e", "#757b85")}
COLOURS = {**GRAPHICS, **TEXTS, **GROUNDS, **LINES}

# No colour of matplotlib's own is one of these, so that none is replaced by mistake.
PLACEHOLDERS = {name: f"#f00d{number:02x}" for number, name in enumerate(COLOURS, 16)}


def declarations(scheme: str) -> str:
    """The variables of CSS in one scheme, `light` or `dark`."""
    return " ".join(f"--{name}: {getattr(each, scheme)};" for name, each in COLOURS.items())
