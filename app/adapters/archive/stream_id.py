"""Ids of stream entries (`MILLISECONDS-SEQUENCE`, Redis: streams, entry ids), and their order."""

from __future__ import annotations

from typing import Final

START: Final = "0-0"


def parsed(stream_id: str) -> tuple[int, int]:
    """The id as numbers, which compare as the entries follow each other. Raises ValueError."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence)


def unix_time(stream_id: str) -> float:
    """When Redis made the entry, by its own clock; Unix seconds."""
    return parsed(stream_id)[0] / 1000
