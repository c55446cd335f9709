"""What a client is told whose bytes are no request: in OpenAI's shape, with an id, and logged."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from app.api.request_id import new_request_id

_FULL: Final = (
    b'{"error":{"message":"Too many connections are open. Please retry shortly.",'
    b'"type":"server_error","param":null,"code":"too_many_connections"}}'
)
#: A whole answer for a client that is not let in; whatever it asks.
TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nretry-after: 1\r\nretry-after-ms: 1000\r\n"
    b"cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n%b"
) % (len(_FULL), _FULL)


def refusal(status: str, message: str, code: str, client: str | None) -> bytes:
    """A whole answer that closes the connection; `status` is its number and words."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = msgspec.json.encode({"error": error})
    request_id = new_request_id()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
        "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    )
    structlog.get_logger().warning(
        "not a request",
        request_id=request_id,
        status=int(status[:3]),
        error=code,
        why=message,
        client=client,
    )
    return head.encode("ascii") + body
