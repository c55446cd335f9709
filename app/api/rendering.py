"""The one place where an error becomes an HTTP answer, in OpenAI's shape."""

from __future__ import annotations

import math

import msgspec

from app.errors import BodyTimeout, BodyTooLarge, SpillgateError, UnsupportedEncoding
from app.wire.events import error_object

#: After these the rest of the body is not read, so the connection cannot be used again.
_BODY_LEFT_UNREAD = (BodyTimeout, BodyTooLarge, UnsupportedEncoding)


def rendered(error: SpillgateError) -> tuple[dict[str, str], bytes]:
    """Headers and body of an error; both spellings of the wait, because SDKs differ."""
    body = msgspec.json.encode({"error": error_object(error)})
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= error.headers
    if error.retry_after_s is not None:
        headers["retry-after-ms"] = str(math.ceil(error.retry_after_s * 1000))
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if error.should_retry is not None:
        headers["x-should-retry"] = "true" if error.should_retry else "false"
    if isinstance(error, _BODY_LEFT_UNREAD):
        headers["connection"] = "close"
    return headers, body
