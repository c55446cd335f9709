"""Which paths are served, and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import INFERENCE, STORED_RESPONSE, Accounting, Operation
from app.errors import MalformedRequest, MethodNotAllowed, UnknownRoute
from app.wire.routes import REGISTRY, match

GENERATED = ["chat/completions", "completions", "embeddings"]
STORED = [
    ("GET", "", Operation.RETRIEVE_RESPONSE),
    ("DELETE", "", Operation.DELETE_RESPONSE),
    ("POST", "/cancel", Operation.CANCEL_RESPONSE),
    ("GET", "/input_items", Operation.LIST_INPUT_ITEMS),
]


@pytest.mark.parametrize("base", ["/v1", "/openai/v1"])
@pytest.mark.parametrize("name", GENERATED)
def test_openai_paths(base: str, name: str) -> None:
    """The model is the body's business; the operation is metered."""
    route = match("POST", f"{base}/{name}", "")
    assert route.operation == name.replace("/", "_")
    assert (route.model, route.response_id, route.query) == (None, None, "")
    assert route.accounting is Accounting.TOKENS


@pytest.mark.parametrize("base", ["/openai/deployments", "/v1/deployments"])
@pytest.mark.parametrize("name", GENERATED)
def test_deployment_paths(base: str, name: str) -> None:
    """Azure's SDKs name the model in the URL; the version is not passed on."""
    route = match("POST", f"{base}/gpt-4o/{name}", "api-version=2024-10-21")
    assert route.operation == name.replace("/", "_")
    assert (route.model, route.query) == ("gpt-4o", "")


@pytest.mark.parametrize("base", ["/v1", "/openai/v1", "/openai"])
def test_responses_and_models_have_three_prefixes(base: str) -> None:
    """What has no deployment in its URL is served under each of them."""
    assert match("POST", f"{base}/responses", "").operation is Operation.RESPONSES
    assert match("GET", f"{base}/models", "").operation is Operation.LIST_MODELS
    model = match("GET", f"{base}/models/gpt-4o", "")
    assert (model.operation, model.model) == (Operation.RETRIEVE_MODEL, "gpt-4o")
    for method, after, operation in STORED:
        route = match(method, f"{base}/responses/resp_aZ-9{after}", "")
        assert (route.operation, route.response_id) == (operation, "resp_aZ-9")


@pytest.mark.parametrize("response_id", ["compact_1", "input_tokens-1", "xcompact"])
def test_an_id_may_begin_like_an_operation(response_id: str) -> None:
    """What is no response is told by its whole name."""
    assert match("GET", f"/v1/responses/{response_id}", "").response_id == response_id


def test_a_deployment_name_is_decoded_once() -> None:
    """The raw path is matched, so that an encoded slash does not end the name."""
    assert match("POST", "/openai/deployments/d%2Fx%20y/chat/completions", "").model == "d/x y"
    assert match("POST", "/openai/deployments/a%252Fb/embeddings", "").model == "a%2Fb"
    assert match("GET", "/v1/models/org%2Fm", "").model == "org/m"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/V1/chat/completions",
        "/v1/chat/completions\n",
        "/v1/chat/completions;x",
        "/v1/chat%2Fcompletions",
        "/v1/../v1/chat/completions",
        "http://host/v1/chat/completions",
        "/openai/chat/completions",
        "/openai/v1/deployments/d/chat/completions",
        "/openai/deployments/a/b/chat/completions",
        "/openai/deployments//chat/completions",
        "/openai/deployments/d/responses",
        "/openai/deployments",
        "/v1/responses/resp_1/other",
        "/v1/responses/resp_1%2Fcancel",
        "/v1/responses/" + "a" * 513,
        "/v1/responses/a.b",
        "/v1/responses/compact",
        "/openai/responses/input_tokens",
        "/v1/responses/input_tokens/cancel",
        "/v1/files",
        "/v1/assistants",
        "/admin/v1/tenants",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everything_else_is_unknown(method: str, path: str) -> None:
    """What is not in the table is not served under any spelling."""
    with pytest.raises(UnknownRoute):
        match(method, path, "")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/openai/deployments/d/embeddings", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/v1/responses/resp_1", "GET, DELETE"),
        ("post", "/v1/responses", "POST"),
    ],
)
def test_a_known_path_says_which_methods_it_has(method: str, path: str, allowed: str) -> None:
    """Methods are case-sensitive, and the refusal names those that would do."""
    with pytest.raises(MethodNotAllowed) as caught:
        match(method, path, "")
    assert caught.value.message.endswith(f"use {allowed}.")


@given(st.text(max_size=400), st.sampled_from(["GET", "POST", "DELETE", "PATCH"]))
def test_no_path_makes_it_stumble(path: str, method: str) -> None:
    """Any path is a route or one of two refusals, and refusals are short."""
    try:
        match(method, path, "")
    except (UnknownRoute, MethodNotAllowed) as error:
        assert len(error.message) < 300  # noqa: PT017  # a path that is served is fine too


@pytest.mark.parametrize(
    ("query", "forwarded"),
    [
        ("", ""),
        ("api-version=2024-10-21", ""),
        ("api-key=secret", ""),
        ("API-KEY=secret&Api-Version=preview", ""),
        ("api%2Dkey=secret", ""),
        ("stream=true&api-key=s&starting_after=3", "stream=true&starting_after=3"),
        ("include[]=a&include[]=b", "include%5B%5D=a&include%5B%5D=b"),
        ("after=&limit=2", "after=&limit=2"),
        ("a=1;api-key=x", "a=1%3Bapi-key%3Dx"),
        ("a=%26api-key%3Dx", "a=%26api-key%3Dx"),
    ],
)
def test_keys_and_versions_are_not_forwarded(query: str, forwarded: str) -> None:
    """A key in the query is meant for us alone; the rest passes, encoded anew."""
    assert match("GET", "/v1/responses/resp_1", query).query == forwarded


def test_a_query_of_too_many_fields_is_malformed() -> None:
    """It is the caller's mistake, told as one."""
    fields = "&".join(f"a{number}=1" for number in range(65))
    with pytest.raises(MalformedRequest, match="query"):
        match("GET", "/v1/responses/resp_1", fields)


def test_every_operation_has_a_route_and_a_policy() -> None:
    """What generates or embeds is metered; reads and deletes are not."""
    assert {one.operation for one in REGISTRY} == set(Operation)
    for one in REGISTRY:
        metered = one.operation in INFERENCE
        assert one.accounting is (Accounting.TOKENS if metered else Accounting.NONE)


def test_ids_are_only_in_paths_of_stored_responses() -> None:
    """Whoever pins a request to its owner finds the id exactly where there is one."""
    for one in REGISTRY:
        assert ("response_id" in one.path.groupindex) == (one.operation in STORED_RESPONSE)
