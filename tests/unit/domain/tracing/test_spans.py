"""The spans of one request as a value."""

from __future__ import annotations

from app.domain.tracing.spans import Span, SpanKind, SpanTree


def test_the_first_span_is_the_requests() -> None:
    """All others are below it."""
    request = Span("a" * 16, "", "chat gpt-4o", SpanKind.SERVER, 1, 2)
    attempt = Span("b" * 16, "a" * 16, "attempt ptu", SpanKind.CLIENT, 1, 2)
    assert SpanTree("c" * 32, (request, attempt)).request is request
