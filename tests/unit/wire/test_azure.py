"""Azure's URLs and refusals."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest, Route
from app.domain.routing.deployment import Api, Deployment, Kind
from app.wire.azure import error_code, is_error_object, model_in_body, retry_after_s, url_for
from app.wire.routes import match

HOST = "https://contoso.openai.azure.com"
EVERY_SECOND_HEADER = st.sampled_from(["retry-after", "retry-after-ms"])


def deployment(api: Api, azure_name: str = "gpt 4o/ptu") -> Deployment:
    endpoint = "https://llm.example/v1" if api is Api.OPENAI else HOST
    version = "2024-10-21" if api is Api.CLASSIC else ""
    return Deployment("east", Kind.PTU, endpoint, api, azure_name, "gpt-4o", version)


def request(method: str, path: str, query: str = "") -> InferenceRequest:
    route: Route = match(method, path, query)
    return InferenceRequest(route, "gpt-4o", b"{}")


@pytest.mark.parametrize(
    ("api", "path", "url"),
    [
        (
            Api.CLASSIC,
            "/v1/chat/completions",
            f"{HOST}/openai/deployments/gpt%204o%2Fptu/chat/completions?api-version=2024-10-21",
        ),
        (
            Api.CLASSIC,
            "/v1/deployments/x/embeddings",
            f"{HOST}/openai/deployments/gpt%204o%2Fptu/embeddings?api-version=2024-10-21",
        ),
        (Api.CLASSIC, "/v1/responses", f"{HOST}/openai/responses?api-version=2024-10-21"),
        (Api.V1, "/v1/chat/completions", f"{HOST}/openai/v1/chat/completions"),
        (Api.V1, "/openai/deployments/x/completions", f"{HOST}/openai/v1/completions"),
        (Api.V1, "/openai/responses", f"{HOST}/openai/v1/responses"),
        (Api.OPENAI, "/v1/chat/completions", "https://llm.example/v1/chat/completions"),
        (Api.OPENAI, "/v1/responses", "https://llm.example/v1/responses"),
    ],
)
def test_each_surface_has_its_url(api: Api, path: str, url: str) -> None:
    """Whatever prefix the caller used, a deployment is asked in its own form."""
    assert url_for(deployment(api), request("POST", path)) == url


@pytest.mark.parametrize(
    ("method", "after"),
    [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")],
)
def test_stored_responses_are_asked_for_by_id(method: str, after: str) -> None:
    """The path keeps the id, the query keeps what is not ours, the version comes first."""
    one = request(method, f"/openai/responses/resp_1{after}", "api-version=x&limit=2&api-key=s")
    assert url_for(deployment(Api.V1), one) == f"{HOST}/openai/v1/responses/resp_1{after}?limit=2"
    classic = f"{HOST}/openai/responses/resp_1{after}?api-version=2024-10-21&limit=2"
    assert url_for(deployment(Api.CLASSIC), one) == classic


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize(
    ("method", "path", "in_url", "named"),
    [
        ("POST", "/v1/chat/completions", {Api.CLASSIC}, True),
        ("POST", "/v1/completions", {Api.CLASSIC}, True),
        ("POST", "/v1/embeddings", {Api.CLASSIC}, True),
        ("POST", "/v1/responses", set(), True),
        ("GET", "/v1/responses/resp_1", set(), False),
        ("POST", "/v1/responses/resp_1/cancel", set(), False),
    ],
)
def test_the_model_is_named_where_the_url_does_not(
    *, api: Api, method: str, path: str, in_url: set[Api], named: bool
) -> None:
    """By the deployment's own name at Azure; operations on a stored response name none."""
    expected = "gpt 4o/ptu" if named and api not in in_url else None
    assert model_in_body(deployment(api), request(method, path)) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "DeploymentNotFound", "message": "m"}}, "DeploymentNotFound"),
        ({"error": {"code": "429", "message": "m"}}, "429"),
        ({"error": {"code": 429}}, "429"),
        ({"error": {"code": None, "type": "invalid_request_error"}}, "invalid_request_error"),
        ({"error": {"code": "content_filter", "innererror": {"code": "RAI"}}}, "content_filter"),
        ({"error": {"message": "m"}}, None),
    ],
)
def test_the_code_of_a_refusal(body: dict[str, object], code: str | None) -> None:
    """The code, else the type; numbers as text. All of these an SDK can read."""
    encoded = json.dumps(body).encode()
    assert error_code(encoded) == code
    assert is_error_object(encoded)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>503</html>",
        b'{"detail":"x"}',
        b'{"error":"text"}',
        b'{"error":null}',
        b"[]",
        b'{"error":{"code":"\xff"}}',
    ],
)
def test_other_bodies_are_no_error_objects(body: bytes) -> None:
    """What an SDK cannot read as an error has no code, and is not passed on as one."""
    assert error_code(body) is None
    assert not is_error_object(body)


PLEASE = b'{"error":{"message":"... Please retry after 3 seconds. To increase ..."}}'


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"retry-after-ms": "800", "retry-after": "1"}, b"", 0.8),
        ({"retry-after-ms": "0"}, PLEASE, 0.0),
        ({"retry-after": "7"}, PLEASE, 7.0),
        ({"retry-after": "1.5"}, b"", 1.5),
        ({}, PLEASE, 3.0),
        ({}, b"Please RETRY AFTER 1 second.", 1.0),
        ({}, b"retry after 250 milliseconds", 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, b"", 9.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, PLEASE, 3.0),
        ({"retry-after": "-5"}, b"", None),
        ({"retry-after": "nan"}, b"", None),
        ({"retry-after": "inf"}, b"", None),
        ({"retry-after": ""}, b"", None),
        ({}, b"", None),
        ({"retry-after": "300"}, b"", 300.0),
        ({"retry-after": "301"}, b"", 300.0),
        ({"retry-after": "400"}, b"", 300.0),
        ({"retry-after": "86400"}, b"", 300.0),
        ({"retry-after-ms": "86400000"}, b"", 300.0),
        ({}, b"Please retry after 86400 seconds.", 300.0),
        ({"x-ratelimit-reset-tokens": "55"}, b"", None),
    ],
)
def test_how_long_a_refusal_asks_to_wait(
    headers: dict[str, str], body: bytes, wait: float | None
) -> None:
    """The exact header first, the message last; a day's wait for a minute's limit is cut short."""
    assert retry_after_s(headers, body) == wait


@given(st.dictionaries(EVERY_SECOND_HEADER, st.text(max_size=20)), st.binary(max_size=40))
def test_no_wait_is_negative_or_endless(headers: dict[str, str], body: bytes) -> None:
    """Whatever an upstream writes, the answer is a wait that may be believed, or none."""
    wait = retry_after_s(headers, body)
    assert wait is None or 0 <= wait <= 300
