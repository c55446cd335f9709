"""Shapes and text as SVG, in the colours of Grafana's dark theme."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

PAGE: Final = "#111217"
PANEL: Final = "#181b1f"
EDGE: Final = "#2c3235"
GRID: Final = "#25282e"
TEXT: Final = "#ccccdc"
FAINT: Final = "#8e8e9b"

_NAMED: Final = {
    "green": "#73bf69",
    "yellow": "#f2cc0c",
    "orange": "#ff9830",
    "red": "#f2495c",
    "dark-red": "#c4162a",
    "blue": "#5794f2",
    "purple": "#b877d9",
}
#: Grafana's classic palette, which series take in turn.
PALETTE: Final = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#5794f2",
    "#b877d9",
    "#705da0",
    "#37872d",
    "#fade2a",
    "#447ebc",
    "#c15c17",
    "#890f02",
    "#0a437c",
    "#6d1f62",
    "#b7dbab",
)
#: The mean width of a character of DejaVu Sans, by its size.
_CHARACTER: Final = 0.6


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the page, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def inset(self, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Box:
        """The box without a margin."""
        width, height = self.width - left - right, self.height - top - bottom
        return Box(self.x + left, self.y + top, max(0, width), max(0, height))


def color(name: str) -> str:
    """A named colour, or the one given."""
    return _NAMED.get(name, name)


def rect(box: Box, fill: str, *, opacity: float = 1, edge: str = "", radius: float = 0) -> str:
    """A rectangle."""
    stroke = f' stroke="{edge}"' if edge else ""
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius}" fill="{fill}" fill-opacity="{opacity}"{stroke}/>'
    )


def text(
    x: float, y: float, content: str, *, size: float = 12, fill: str = TEXT, style: str = ""
) -> str:
    """A line of text on its base line; `style` has `start`, `middle` or `end`, and `bold`."""
    anchor = next((each for each in ("middle", "end") if each in style), "start")
    weight = ' font-weight="bold"' if "bold" in style else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" fill="{fill}" '
        f'text-anchor="{anchor}"{weight}>{escape(content)}</text>'
    )


def line(points: Iterable[tuple[float, float]], stroke: str, *, dash: str = "") -> str:
    """A line through points."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path(points)}" fill="none" stroke="{stroke}" stroke-width="1.3"{dashed}/>'


def area(points: Iterable[tuple[float, float]], fill: str, opacity: float) -> str:
    """A filled polygon."""
    return f'<path d="{path(points)}Z" fill="{fill}" fill-opacity="{opacity}"/>'


def path(points: Iterable[tuple[float, float]]) -> str:
    """SVG's words for going through points."""
    return "".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points)
    )


def width(content: str, size: float) -> float:
    """About how wide a text is."""
    return len(content) * size * _CHARACTER


def fitting(content: str, size: float, room: float) -> str:
    """The text, cut where there is no room for all of it."""
    if width(content, size) <= room:
        return content
    most = max(1, int(room / (size * _CHARACTER)) - 1)
    return f"{content[:most]}…"
