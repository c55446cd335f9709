"""Draw what is served, and what of it is wrong, over the threshold: an SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from tests.evaluation.cache.judged import Judged, Score, bare, guarded, score

_WIDTH: Final = 380
_HEIGHT: Final = 240
_LEFT: Final = 52
_TOP: Final = 40
_LARGEST: Final = 0.8
_STEPS: Final = 80
_BARE: Final = "#c0392b"
_GUARDED: Final = "#1f6feb"
_Rate: TypeAlias = Callable[[Score], float]
_Serving: TypeAlias = Callable[[float], Callable[[Judged], bool]]


def plot(judged: Sequence[Judged], threshold: float, title: str) -> str:
    """The text of an SVG file."""
    panels = (
        *_panel(judged, threshold, "served, of those that mean the same", _hits, 0),
        *_panel(judged, threshold, "wrong, of those served", _wrong, _WIDTH + 80),
    )
    size = f'width="{2 * _WIDTH + 180}" height="{_HEIGHT + 130}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
    lines = (
        opening + 'font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{title}</text>',
        *panels,
        *_legend(),
        "</svg>\n",
    )
    return "\n".join(lines)


def _hits(found: Score) -> float:
    return found.hit_rate


def _wrong(found: Score) -> float:
    return found.false_hit_rate


def _panel(
    judged: Sequence[Judged], threshold: float, title: str, rate: _Rate, right: int
) -> Iterator[str]:
    left = _LEFT + right
    yield f'<text x="{left}" y="{_TOP - 4}">{title}</text>'
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        yield f'<line x1="{left}" y1="{y}" x2="{left + _WIDTH}" y2="{y}" stroke="#ddd"/>'
        yield f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tenth * 10} %</text>'
    for tenth in range(0, 9, 2):
        x = _x(tenth / 10, left)
        yield f'<text x="{x}" y="{_y(0) + 18}" text-anchor="middle">{tenth / 10:g}</text>'
    x = _x(threshold, left)
    yield f'<line x1="{x}" y1="{_y(1)}" x2="{x}" y2="{_y(0)}" stroke="#888" stroke-dasharray="4"/>'
    yield _curve(judged, rate, bare, (_BARE, left))
    yield _curve(judged, rate, guarded, (_GUARDED, left))


def _curve(judged: Sequence[Judged], rate: _Rate, serving: _Serving, place: tuple[str, int]) -> str:
    colour, left = place
    points = []
    for step in range(_STEPS + 1):
        at = _LARGEST * step / _STEPS
        points.append(f"{_x(at, left):.1f},{_y(rate(score(judged, serving(at)))):.1f}")
    return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(points)}"/>'


def _legend() -> Iterator[str]:
    y = _y(0) + 50
    names = ((_BARE, "distance alone"), (_GUARDED, "with guards"), ("#888", "default threshold"))
    for place, (colour, name) in enumerate(names):
        x = _LEFT + 170 * place
        yield f'<line x1="{x}" y1="{y}" x2="{x + 24}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        yield f'<text x="{x + 30}" y="{y + 4}">{name}</text>'
    yield f'<text x="{_LEFT + 540}" y="{y + 4}">across: threshold, cosine distance</text>'


def _x(distance: float, left: int) -> float:
    return round(left + min(distance, _LARGEST) / _LARGEST * _WIDTH, 1)


def _y(rate: float) -> float:
    return round(_TOP + 8 + (1 - rate) * _HEIGHT, 1)
