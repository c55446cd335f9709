"""What the operations send: the Node driver sends the same."""

from __future__ import annotations

from typing import Any, Final

QUESTION: Final = "Why is the sky blue?"
SHORT: Final[dict[str, Any]] = {"max_tokens": 24, "seed": 5}
TOOL: Final[dict[str, Any]] = {
    "name": "weather",
    "description": "Weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "strict": True,
}
TOOLS: Final[dict[str, Any]] = {
    "tools": [{"type": "function", "function": TOOL}],
    "tool_choice": "required",
}
RESPONSE_TOOLS: Final[dict[str, Any]] = {
    "tools": [{"type": "function", **TOOL}],
    "tool_choice": "required",
}
SCHEMA: Final[dict[str, Any]] = {
    "name": "answer",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "points": {"type": "integer"}},
        "required": ["title", "points"],
        "additionalProperties": False,
    },
}
PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE: Final = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
]
LONG: Final = "many words of one question " * 150
JSON_FORMAT: Final[dict[str, Any]] = {
    "response_format": {"type": "json_schema", "json_schema": SCHEMA}
}
USAGE: Final[dict[str, Any]] = {"stream": True, "stream_options": {"include_usage": True}}
UNKNOWN: Final[dict[str, Any]] = {"model": "no-such-model"}
TEXT_FORMAT: Final[dict[str, Any]] = {"text": {"format": {"type": "json_schema", **SCHEMA}}}
NO_RESPONSE: Final = "resp_000000000000000000000000000000000000000000000000"
