"""How long an answer may take to begin."""

from __future__ import annotations

import pytest

from app.domain.routing.deployment import Timeouts
from app.domain.routing.patience import patience_for
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.house import deployment

TIMEOUTS = Timeouts(connect=1.0, first_byte=60.0, idle=50.0, total=600.0)
EAST = deployment("east", timeouts=TIMEOUTS)


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses"])
def test_an_answer_that_does_not_stream_may_take_all_of_its_time(path: str) -> None:
    """Its headers come with its last token; a stream's with its first."""
    for body, first_byte in ((b'{"model":"m"}', 600.0), (b'{"model":"m","stream":true}', 60.0)):
        request = read_request(match("POST", f"/v1/{path}", ""), body)
        patience = patience_for(request, EAST)
        assert patience == Timeouts(connect=1.0, first_byte=first_byte, idle=50.0, total=600.0)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "embeddings", b'{"model":"m"}'), ("GET", "responses/resp_1", b"")],
)
def test_what_is_not_written_begins_soon(method: str, path: str, body: bytes) -> None:
    """Vectors, and what is only read or deleted, take no minutes."""
    request = read_request(match(method, f"/v1/{path}", ""), body)
    assert patience_for(request, EAST) is TIMEOUTS
