from __future__ import annotations

import json
import string

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.logs import MAX_FIELD, configure_logs
from app.adapters.logs.redaction import REDACTED, Redaction
from app.cli.key import new_key
from tests.unit.adapters.logs.conftest import Logged

TOKEN = "q8Zr5tWx2Lk9Pm4Nv7"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl-_x"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        (f"authorization: bearer {TOKEN}==", TOKEN),
        (f"{{'Authorization': 'BEARER {TOKEN}'}}", TOKEN),
        (f"Basic {TOKEN}", TOKEN),
        (f"api-key: {TOKEN}", TOKEN),
        (f"{{'api-key': '{TOKEN}'}}", TOKEN),
        (f'{{"api_key":"{TOKEN}"}}', TOKEN),
        (f"Api-Key={TOKEN}", TOKEN),
        (f"x-api-key: {TOKEN}", TOKEN),
        (f"Ocp-Apim-Subscription-Key: {TOKEN}", TOKEN),
        (f"OPENAI: sk-proj-{TOKEN}", TOKEN),
        (f"Endpoint=sb://x/;AccountKey={TOKEN};x=y", TOKEN),
        (f"SharedAccessKey={TOKEN}", TOKEN),
        (f"https://x.blob/c?sv=1&sig={TOKEN}&se=2", TOKEN),
        (f"client_secret={TOKEN}", TOKEN),
        (f"redis://user:{TOKEN}@host:6379/0", TOKEN),
        (f"redis://:{TOKEN}@host:6379/0", TOKEN),
        (f"rejected {JWT}!", JWT),
        (f"rejected {JWT[:40]}", JWT[:40]),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, secret: str) -> None:
    """Whoever made it; in plain text and within JSON, which stays JSON."""
    redacted = Redaction()
    assert secret not in redacted(text)
    assert REDACTED in redacted(text)
    line = json.dumps({"said": text, "after": 1})
    assert secret not in redacted(line)
    assert json.loads(redacted(line))["after"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "search gpt-4o ptu-east 429 throttled 10ms risk-assessment-deployment task-force-long-name",
        "req_0123456789abcdef01234567 2026-11-21T16:40:18.123456Z https://x.openai.azure.com/a?b=c",
        '{"key_id":"abcdefghij","request_id":"req-1","error":"invalid_api_key"}',
        "api-key is missing",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    """Names, ids, times and addresses are what a log is read for."""
    assert Redaction()(text) == text


def test_our_keys_are_taken_out_wherever_they_stand() -> None:
    """Also cut short, and glued to other words."""
    key = new_key("live")
    for text in (key, f"xx{key}yy", key[:40], f"/v1/{key}/x", f"a={key}&b"):
        assert key[20:40] not in Redaction()(text)


@given(
    st.text(string.printable, min_size=8, max_size=60).filter(lambda text: text.strip() == text),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_what_is_known_is_in_no_line(secret: str, before: str, after: str) -> None:
    """Whatever it is made of and stands in, as it is and as JSON writes it."""
    redacted = Redaction()
    redacted.know([secret])
    assert secret not in redacted(f"{before}{secret}{after}").replace(REDACTED, "")
    inside = json.dumps(secret)[1:-1]
    assert inside not in redacted(json.dumps([secret])).replace(REDACTED, "")


def test_what_was_known_stays_known() -> None:
    """A key that was replaced may be good for a while; short words are no secrets."""
    redacted = Redaction()
    redacted.know([TOKEN, "short", "p%40ssw0rd!"])
    redacted.know(["another-secret"])
    said = redacted(f"{TOKEN} short p@ssw0rd! p%40ssw0rd! another-secret")
    assert said == f"{REDACTED} short {REDACTED} {REDACTED} {REDACTED}"


def test_no_cut_leaves_a_part(stream: Logged) -> None:
    """A field is cut after secrets are taken out of it, a traceback as well."""
    logs = configure_logs("info", stream)
    logs.redaction.know([TOKEN])
    log = structlog.get_logger()
    for place in range(MAX_FIELD - len(TOKEN) - 2, MAX_FIELD + 1, 3):
        log.info("said", text="." * place + TOKEN + "." * 50)

    assert TOKEN[:6] not in stream.text
    assert len(stream.lines) > 5


def test_every_part_of_a_line_is_searched(stream: Logged) -> None:
    """Events, names of fields, what is nested, what has escapes, what a library says."""
    logs = configure_logs("info", stream)
    logs.redaction.know([TOKEN, 'with "quotes" and \\'])
    log = structlog.get_logger()
    log.info(TOKEN)
    log.info("said", **{TOKEN: 1})
    log.info("said", deep={"a": [{TOKEN: TOKEN}]}, newline=f"\n{TOKEN}\n")
    log.info("said", text='with "quotes" and \\')
    log.info("said", text=f"{TOKEN}é", raw=TOKEN.encode())

    assert len(stream.lines) == 5
    assert TOKEN not in stream.text
    assert "quotes" not in stream.text
