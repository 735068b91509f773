"""Every colour of the figures by its role, on light paper and on dark.

A sheet is coloured for light paper. Whoever draws it on dark paper looks up what the
same role has there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shade:
    """A colour as #RRGGBB or #RRGGBBAA, on either paper."""

    light: str
    dark: str


PALETTE: dict[str, Shade] = {
    # Paper and what is printed on it. The papers are those of JupyterLab's themes.
    "paper": Shade("#FFFFFF", "#111111"),
    "ink": Shade("#1F2328", "#E6EDF3"),
    "muted": Shade("#59636E", "#9DA7B3"),
    "lifeline": Shade("#8C959F", "#6E7781"),
    "grid": Shade("#C4CAD0", "#4A525B"),
    "band": Shade("#F2F4F6", "#1E2227"),
    "box": Shade("#E4E8EC", "#2B3138"),
    "bar": Shade("#D6E8F3", "#123F5A"),
    # Segments, and words about them.
    "blue": Shade("#0072B2", "#3B9EDB"),
    "blue-ink": Shade("#005A8E", "#6CBBEE"),
    "green": Shade("#009E73", "#26B88A"),
    "green-ink": Shade("#00664A", "#4CCFA4"),
    "pink": Shade("#B0568A", "#D77FB2"),
    "pink-ink": Shade("#8A3A69", "#E9A3CB"),
    "black": Shade("#000000", "#FFFFFF"),
    "failed": Shade("#D55E00", "#F0752A"),
    "failed-ink": Shade("#A84500", "#FF9A5C"),
    "amber": Shade("#B27A00", "#D19A1F"),
    "amber-ink": Shade("#7A5200", "#E8B84A"),
    "violet": Shade("#6A51A3", "#A594D9"),
    # Grounds of states and outcomes, all pale: what lies on them stays readable.
    "ground-open": Shade("#CDE6F5", "#163A52"),
    "ground-ending": Shade("#F3DDE9", "#4A2A3D"),
    "ground-left": Shade("#FBE3B3", "#4A3710"),
    "ground-over": Shade("#ECEFF2", "#262B31"),
    "ground-lost": Shade("#FBDCC8", "#4F2A14"),
    "hatch-lost": Shade("#F2B795", "#8A4B25"),
    # Translucent.
    "window": Shade("#E69F004D", "#E69F0047"),
    "model": Shade("#009E7338", "#26B88A40"),
    "late": Shade("#56B4E94D", "#56B4E940"),
    # Areas that are told apart at a glance, bright on either paper, under dark hatches.
    "hatch": Shade("#24292F", "#0B0D10"),
    "sky": Shade("#56B4E9", "#56B4E9"),
    "yellow": Shade("#F0E442", "#F0E442"),
    "purple": Shade("#CC79A7", "#CC79A7"),
    "orange": Shade("#E69F00", "#E69F00"),
    "lilac": Shade("#9D8CCB", "#A594D9"),
    # Safe, rarely unsafe, often unsafe: the two sides of a rule on a map.
    "safe": Shade("#E8F1F7", "#18303F"),
    "rare": Shade("#F7CBB0", "#5A3420"),
    "often": Shade("#DE8A5C", "#A0522D"),
}

_ROLES = {shade.light.upper(): role for role, shade in PALETTE.items()}


def role_of(colour: str) -> str | None:
    """The role of a colour on light paper; None for one that has no role."""
    return _ROLES.get(colour.upper())
