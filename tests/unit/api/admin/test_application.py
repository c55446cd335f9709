from __future__ import annotations

import httpx2
import pytest

from app.api.admin.guard import MAX_BODY
from tests.fakes.admin import AdminHouse

SECRET = "spg_live_this is somebody's secret"


async def test_that_health_needs_no_key(house: AdminHouse) -> None:
    """Alive while it drains, and not ready then."""
    async with house.client(None) as client:
        assert (await client.get("http://admin/readyz")).status_code == 200
        house.readiness.draining = True
        assert (await client.get("http://admin/readyz")).status_code == 503
        assert (await client.get("http://admin/healthz")).status_code == 200


async def test_that_what_is_not_there_is_said_in_openais_shape(owner: httpx2.AsyncClient) -> None:
    """Paths and methods; no redirect to a path with or without a slash."""
    for path, status, code in (
        ("nothing", 404, "unknown_url"),
        ("tenants/", 404, "unknown_url"),
        ("tenants/nobody", 404, "not_found"),
        ("keys/nobody", 404, "not_found"),
        ("admins/nobody", 404, "not_found"),
    ):
        answer = await owner.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    answer = await owner.put("tenants", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"\xff", b"null", b"[" * 100_000, b'{"name": "\\ud800"}'],
)
async def test_that_a_body_that_is_none_is_a_400(owner: httpx2.AsyncClient, body: bytes) -> None:
    """Whatever is wrong with it; never a 422, never a 500."""
    headers = {"content-type": "application/json"}
    answer = await owner.post("tenants", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_that_a_body_is_bounded(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Before it is read whole, and only for those who may send one at all."""
    body = b'{"name": "' + b"a" * MAX_BODY + b'"}'
    assert (await owner.post("tenants", content=body)).status_code == 413
    async with house.client(None) as client:
        assert (await client.post("tenants", content=body)).status_code == 401


async def test_that_nothing_that_was_sent_is_in_a_refusal(owner: httpx2.AsyncClient) -> None:
    """A secret in the wrong field does not come back, nor into anybody's log."""
    for body in (
        {"name": SECRET},
        {"name": "a", "tags": SECRET},
        {"name": "a", "models": [SECRET]},
    ):
        answer = await owner.post("tenants", json=body)
        assert answer.status_code == 400
        assert SECRET not in answer.text


async def test_that_a_path_can_hold_anything(owner: httpx2.AsyncClient) -> None:
    """What is no name is not there."""
    for name in ("%00", "%2F", "..%2F..", "a" * 5000, "%E2%80%AE"):
        assert (await owner.get(f"tenants/{name}")).status_code == 404
