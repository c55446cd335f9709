"""What a request's headers say about the cache.

`Cache-Control` as RFC 9111 has it for requests (section 5.2.1): names in any case, values as tokens
or quoted, what is not known is ignored, and an age that cannot be read is taken for zero (4.2.1).
Our own headers, which nobody sends by accident, are refused when they cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from app.errors import MalformedRequest

TTL_HEADER: Final = "x-spillgate-cache-ttl"
THRESHOLD_HEADER: Final = "x-spillgate-cache-threshold"

#: The largest cosine distance.
_WIDEST: Final = 2.0
#: A name, and a value where there is one; the fourth group is the quote that ends it. What follows
#: up to the next comma is no part of either.
_DIRECTIVE: Final = re.compile(
    r'[\s,]*+([^\s,;="]*+)\s*+(=\s*+(?:"((?:[^"\\]|\\.)*+)("?)|([^\s,"]*+)))?[^,]*+', re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
#: At most nine digits: thirty years of seconds, which is for ever (RFC 9111, 1.2.2).
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_DISTANCE: Final = re.compile(r"[0-9](?:\.[0-9]{1,9})?|\.[0-9]{1,9}")


class Directives(msgspec.Struct, frozen=True):
    """What one request allows; seconds, and a cosine distance. None: nothing said.

    A kept answer may be given where `read` is true and it is not older than `max_age_s`; the
    answer may be kept where `store` is true. `only_if_cached`: there is to be no other answer.
    """

    read: bool = True
    store: bool = True
    max_age_s: float | None = None
    ttl_s: float | None = None
    threshold: float | None = None
    only_if_cached: bool = False


#: What most requests say.
NOTHING_SAID: Final = Directives()


def directives_of(headers: Mapping[str, str]) -> Directives:
    """What the headers say, names in lower case. Raises MalformedRequest naming one of our own."""
    control = headers.get("cache-control", "")
    ttl, threshold = headers.get(TTL_HEADER), headers.get(THRESHOLD_HEADER)
    if not control and ttl is None and threshold is None:
        return NOTHING_SAID
    said = list(_directives(control))
    names = {name for name, _ in said}
    ages = [_age(value) for name, value in said if name == "max-age"]
    return Directives(
        read="no-cache" not in names,
        store="no-store" not in names,
        max_age_s=min(ages, default=None),
        ttl_s=None if ttl is None else _ttl(ttl),
        threshold=None if threshold is None else _threshold(threshold),
        only_if_cached="only-if-cached" in names,
    )


def _directives(control: str) -> Iterator[tuple[str, str | None]]:
    """Names in lower case, and values; None where a value is missing or its quote does not end."""
    for found in _DIRECTIVE.finditer(control):
        name, _, quoted, ends, token = found.groups()
        if not name:
            continue
        value = token or None
        if quoted is not None:
            value = _ESCAPE.sub(r"\1", quoted) if ends else None
        yield name.lower(), value


def _age(value: str | None) -> float:
    """Seconds. Beyond nine digits it is for ever; what cannot be read is no age at all."""
    if value is None or not value.isascii() or not value.isdigit():
        return 0.0
    return float(value) if _SECONDS.fullmatch(value) else 1e9


def _ttl(value: str) -> float:
    if _SECONDS.fullmatch(value.strip()) is None:
        raise _invalid(TTL_HEADER, "it must be a whole number of seconds, of at most 9 digits")
    return float(value)


def _threshold(value: str) -> float:
    text = value.strip()
    if _DISTANCE.fullmatch(text) is None or float(text) > _WIDEST:
        raise _invalid(THRESHOLD_HEADER, "it must be a cosine distance from 0 to 2")
    return float(text)


def _invalid(header: str, what: str) -> MalformedRequest:
    message = f"Invalid '{header}': {what}."
    return MalformedRequest(message, code="invalid_value", param=header)
