"""A request's own tags, from its header: `x-spillgate-tags: project=alpha,cost_center=42`.

The form is that of a list in W3C Baggage without properties: members with commas between them, in
values `%` and whatever is not ASCII percent-encoded as UTF-8. OpenAI's `metadata` is not read:
it is the application's own, stored with its answers, and may hold what no bill should show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from app.errors import MalformedRequest
from app.settings.tag_format import MAX_TAGS, name_fault, value_fault

TAGS_HEADER: Final = "x-spillgate-tags"
NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})

MAX_HEADER: Final = 2048
_SHOWN: Final = 64
_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def request_tags(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The tags in a request's headers. Raises MalformedRequest, which says what is wrong."""
    given = headers.get(TAGS_HEADER)
    if given is None:
        return NO_TAGS
    if len(given) > MAX_HEADER:
        raise _invalid(f"it must have at most {MAX_HEADER} characters")
    tags: dict[str, str] = {}
    for member in given.split(","):
        if text := member.strip(" \t"):  # empty members mean nothing (RFC 9110, 5.6.1)
            name, value = _tag(text)
            if name in tags:
                raise _invalid(f"the tag {name!r} is there twice")
            tags[name] = value
    if len(tags) > MAX_TAGS:
        raise _invalid(f"it has {len(tags)} tags, at most {MAX_TAGS} are taken")
    return tags


def _tag(text: str) -> tuple[str, str]:
    name, equals, raw = (part.strip(" \t") for part in text.partition("="))
    if not equals:
        raise _invalid(f"{text[:_SHOWN]!r} must be written name=value")
    if fault := name_fault(name):
        raise _invalid(f"{name[:_SHOWN]!r}: {fault}")
    value = _decoded(raw)
    if value is None:
        message = "'%' and what is not ASCII must be percent-encoded as UTF-8"
        raise _invalid(f"the tag {name!r}: {message}")
    if fault := value_fault(value):
        raise _invalid(f"the tag {name!r}: {fault}")
    return name, value


def _decoded(raw: str) -> str | None:
    """None where it is not encoded as it must be."""
    if not raw.isascii() or _NO_ESCAPE.search(raw):
        return None
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None


def _invalid(what: str) -> MalformedRequest:
    message = f"Invalid '{TAGS_HEADER}': {what}."
    return MalformedRequest(message, code="invalid_value", param=TAGS_HEADER)
