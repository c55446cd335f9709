"""What an image costs in tokens, by OpenAI's published rules.

Source of the rules: OpenAI, guide "Images and vision", sections "Model sizing behavior" and
"Calculating costs", as read in 2026-03 (tiles; patches up to GPT-5.4) and 2026-09 (GPT-5.6 and 6).
Where its text of one month and the bills that users compared differ, the dearer holds here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import Final

_PATCH: Final = 32  # pixels
_TILE: Final = 512  # pixels
_TILED_SQUARE: Final = 2048  # pixels: an image is scaled down into this square
_TILED_SHORT_SIDE: Final = 768  # pixels: and then until its shorter side is no longer
_MOST_TILES: Final = 8  # of a 2048 x 768 image


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a prompt; sizes in pixels, 0 where they are not known."""

    width: int = 0
    height: int = 0
    detail: str = "auto"  # low | high | original | auto; anything else counts as auto


@dataclass(frozen=True, slots=True)
class _Tiles:
    """A fixed price, and one for every tile of 512 x 512 unless detail is low."""

    base: int
    tile: int

    def tokens(self, image: Image) -> int:
        if image.detail == "low":
            return self.base
        return self.base + self.tile * _tiles(image)


@dataclass(frozen=True, slots=True)
class _Fit:
    """What an image is scaled down to: this many patches, and this many pixels a side."""

    patches: int
    side: int


_SMALL: Final = _Fit(patches=256, side=512)
_HIGH_1536: Final = _Fit(patches=1536, side=2048)
_HIGH_2500: Final = _Fit(patches=2500, side=2048)
_ORIGINAL_10K: Final = _Fit(patches=10_000, side=6000)
_HIGH_LONG: Final = _Fit(patches=2500, side=65_535)
_ORIGINAL_30K: Final = _Fit(patches=30_000, side=65_535)  # what is larger is refused


@dataclass(frozen=True, slots=True)
class _Patches:
    """A price for every patch of 32 x 32 pixels after the image was scaled down."""

    weight: float
    high: _Fit = _HIGH_1536
    original: _Fit | None = None
    auto: _Fit | None = None  # None: as high

    def tokens(self, image: Image) -> int:
        return ceil(self.weight * _patches(image, self._fit(image.detail)))

    def _fit(self, detail: str) -> _Fit:
        match detail:
            case "low":
                return _SMALL
            case "high":
                return self.high
            case "original":
                return self.original or self.high
            case _:
                return self.auto or self.high


_Rule = _Tiles | _Patches

#: The first that matches the beginning of a base model's name counts. The multiplier of patches is
#: 1.2 where the guide of 2026-03 names none, as that of 2026-09 has it for all newer models.
_RULES: Final[tuple[tuple[re.Pattern[str], _Rule], ...]] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"gpt-4o-mini", _Tiles(2833, 5667)),
        (r"gpt-4\.1-mini", _Patches(1.62)),
        (r"gpt-4\.1-nano", _Patches(2.46)),
        (r"gpt-4", _Tiles(85, 170)),
        (r"gpt-5-mini|gpt-5(\.1)?-codex-mini", _Patches(1.62)),
        (r"gpt-5-nano", _Patches(2.46)),
        (r"gpt-5($|-)|gpt-5\.1", _Tiles(70, 140)),
        (r"gpt-5\.[23]", _Patches(1.2)),
        (r"gpt-5\.4-mini", _Patches(1.62, _HIGH_2500, _ORIGINAL_10K)),
        (r"gpt-5\.4-nano", _Patches(2.46, _HIGH_2500, _ORIGINAL_10K)),
        (r"gpt-5\.4", _Patches(1.2, _HIGH_2500, _ORIGINAL_10K)),
        (r"gpt-5\.5", _Patches(1.2, _HIGH_2500, _ORIGINAL_10K, auto=_ORIGINAL_10K)),
        (r"gpt-[5-9]", _Patches(1.2, _HIGH_LONG, _ORIGINAL_30K, auto=_ORIGINAL_30K)),
        (r"o4-mini", _Patches(1.72)),
        (r"o\d", _Tiles(75, 150)),
        (r"computer-use", _Tiles(65, 129)),
    )
)
#: A model that is not listed is taken for a gpt-4o, as the model catalogue does.
_UNLISTED: Final = _Tiles(85, 170)


def image_tokens(image: Image, model: str) -> int:
    """Tokens of `image` as `model`, a base model, reads it; of an unknown size, the most.

    Patches of an image that is scaled down are taken to fill the model's budget: the published
    formula ends up to a tenth lower, and bills were seen at the full budget.
    """
    name = model.lower()
    rule = next((rule for pattern, rule in _RULES if pattern.match(name)), _UNLISTED)
    return rule.tokens(image)


def _tiles(image: Image) -> int:
    """Images are only ever scaled down: one of 512 x 512 is one tile."""
    if not image.width or not image.height:
        return _MOST_TILES
    long, short = max(image.width, image.height), min(image.width, image.height)
    scale = min(1.0, _TILED_SQUARE / long, _TILED_SHORT_SIDE / short)
    return _covering(long * scale, _TILE) * _covering(short * scale, _TILE)


def _patches(image: Image, fit: _Fit) -> int:
    if not image.width or not image.height:
        return fit.patches
    scale = min(1.0, fit.side / max(image.width, image.height))
    patches = _covering(image.width * scale, _PATCH) * _covering(image.height * scale, _PATCH)
    return min(patches, fit.patches)


def _covering(pixels: float, size: int) -> int:
    """How many squares of `size` cover so many pixels; scaled images have whole ones."""
    return max(1, ceil(round(pixels) / size))
