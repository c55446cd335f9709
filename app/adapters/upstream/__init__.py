"""HTTP/1.1 to upstreams: pooled connections, answers whose bodies are read as they come.

`transport` sends, `pool` keeps connections, `dialer` opens them, `connection` speaks the protocol
on one, `response` is what the caller reads. What it was made for is in ADR 0010.
"""

from __future__ import annotations

from app.adapters.upstream.pool import Connections
from app.adapters.upstream.transport import HttpTransport

__all__ = ["Connections", "HttpTransport"]
