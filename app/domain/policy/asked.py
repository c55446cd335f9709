"""What a request asks for, as far as policies look at it: parameters, features, and its texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from app.domain.policy.rules import Feature, Role


class Passage(msgspec.Struct, frozen=True, gc=False):
    """One text of the prompt, decoded, in UTF-8; `field` is the body's item that it stands in."""

    role: Role
    field: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body asks for; features with the field that each is asked by."""

    parameters: tuple[str, ...] = ()
    features: Mapping[Feature, str] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()
    unreadable: str = ""  # the field that holds token ids in place of text
