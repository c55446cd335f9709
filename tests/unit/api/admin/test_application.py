from __future__ import annotations

import httpx2
import pytest

from app.api.admin.guard import MAX_BODY
from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, OWNER_KEY, AdminHouse

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


async def test_that_two_keys_are_none(house: AdminHouse) -> None:
    """Whichever comes first: whoever stands before the gateway may have gone by the other one."""
    keys = [("authorization", f"Bearer {key}") for key in (OWNER_KEY, "another")]
    async with house.client(None) as client:
        for shown, status in ((keys[:1], 200), (keys, 401), (keys[::-1], 401)):
            answer = await client.get("me", headers=shown)
            assert answer.status_code == status


async def test_that_a_path_can_hold_anything(owner: httpx2.AsyncClient) -> None:
    """What is no name is not there."""
    for name in ("%00", "%2F", "..%2F..", "a" * 5000, "%E2%80%AE"):
        assert (await owner.get(f"tenants/{name}")).status_code == 404


async def test_that_every_answer_has_a_request_id(house: AdminHouse) -> None:
    """The caller's where it is a plain one; of refusals, of health, and of what is not there."""
    for path in ("me", "nothing", "tenants/nobody", "http://admin/readyz", "tenants"):
        for key in (None, OWNER_KEY):
            async with house.client(key) as client:
                given = await client.get(path, headers={"x-request-id": "mine-1"})
                assert given.headers.get_list("x-request-id") == ["mine-1"]
                made = (await client.get(path, headers={"x-request-id": "a b"})).headers
                assert made["x-request-id"].startswith("req_")


async def test_that_the_audit_record_has_the_answers_request_id(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Also where the caller sent none."""
    answer = await owner.patch("tenants/search", json={"tags": {"team": "a"}})
    (record,) = (await owner.get("audit")).json()["data"]
    assert record["request_id"] == answer.headers["x-request-id"]


async def test_that_a_fault_of_ours_is_told_in_openais_shape(house: AdminHouse) -> None:
    """With a request id and nothing of what went wrong."""
    app = house.app()

    async def fail() -> None:
        raise RuntimeError(SECRET)

    app.add_api_route("/broken", fail)
    async with house.client(app=app) as client:
        answer = await client.get("http://admin/broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["cache-control"] == "no-store"
    assert SECRET not in answer.text


async def test_that_the_openapi_document_is_for_those_with_a_key(house: AdminHouse) -> None:
    """Denied by default: what there is is nobody else's business."""
    for key, status in ((None, 401), (ADMIN_KEYS[Role.VIEWER], 200)):
        async with house.client(key) as client:
            answer = await client.get("openapi.json")
            assert answer.status_code == status
            assert ("/admin/v1/me" in answer.json().get("paths", {})) == (status == 200)
            assert (await client.get("http://admin/openapi.json")).status_code == 404
