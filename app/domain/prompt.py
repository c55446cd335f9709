"""How many tokens a prompt has, by OpenAI's published rules.

Chat messages: 3 tokens each, their values, 1 for a name, and 3 that prime the answer (OpenAI
Cookbook, "How to count tokens with tiktoken"). Tools are counted as the JSON they came as, which is
a little more than the form they are shown to the model in. Images: OpenAI, "Images and vision",
"Calculating costs", read 2026-11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_PER_MESSAGE: Final = 3
_PER_NAME: Final = 1
_PRIMING: Final = 3
#: A file or a sound whose content nobody has read: about ten pages of text.
_PER_FILE: Final = 10_000

_TILE: Final = 512
_PATCH: Final = 32
_MOST_PATCHES: Final = 1536
_LONGEST_SIDE: Final = 2048
_SHORTEST_SIDE: Final = 768
#: Base tokens and tokens of a tile, by the beginning of a model's name.
_TILES: Final = (
    (re.compile(r"gpt-4o-mini"), 2833, 5667),
    (re.compile(r"gpt-5"), 70, 140),
    (re.compile(r"o1|o3"), 75, 150),
    (re.compile(r"computer-use"), 65, 129),
    (re.compile(r""), 85, 170),
)
#: Models that count patches of 32 by 32, each weighed by a factor.
_PATCHES: Final = (
    (re.compile(r"gpt-4\.1-mini|gpt-5-mini"), 1.62),
    (re.compile(r"gpt-4\.1-nano|gpt-5-nano"), 2.46),
    (re.compile(r"o4-mini"), 1.72),
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image; sizes in pixels, 0 where they are not known."""

    width: int = 0
    height: int = 0
    low_detail: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request gives a model to read."""

    texts: tuple[str, ...] = ()
    messages: int = 0
    names: int = 0
    images: tuple[Image, ...] = ()
    files: int = 0
    tokens: int = 0  # given as token ids


def tokens_of(prompt: Prompt, count: Callable[[str], int], model: str) -> int:
    """Tokens that `model`, a base model, reads; `count` counts a text's."""
    written = sum(map(count, prompt.texts)) + prompt.tokens
    framed = prompt.messages * _PER_MESSAGE + prompt.names * _PER_NAME
    primed = _PRIMING if prompt.messages else 0
    seen = sum(image_tokens(image, model) for image in prompt.images)
    return written + framed + primed + seen + prompt.files * _PER_FILE


def image_tokens(image: Image, model: str) -> int:
    """Tokens of one image; the most that its detail allows where its size is not known."""
    for pattern, factor in _PATCHES:
        if pattern.match(model):
            return math.ceil(_patches(image) * factor)
    base, tile = next((base, tile) for pattern, base, tile in _TILES if pattern.match(model))
    return base if image.low_detail else base + tile * _tiles(image)


def _tiles(image: Image) -> int:
    """Scaled into 2048 by 2048, then to a shortest side of 768, in tiles of 512."""
    width, height = image.width or _LONGEST_SIDE, image.height or _SHORTEST_SIDE
    for limit, side_of in ((_LONGEST_SIDE, max), (_SHORTEST_SIDE, min)):
        scale = min(1.0, limit / side_of(width, height))
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    return math.ceil(width / _TILE) * math.ceil(height / _TILE)


def _patches(image: Image) -> int:
    if not (image.width and image.height):
        return _MOST_PATCHES
    whole = math.ceil(image.width / _PATCH) * math.ceil(image.height / _PATCH)
    return min(_MOST_PATCHES, whole)
