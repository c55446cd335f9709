"""Requests read, and written for a deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest
from app.errors import MalformedRequest
from app.wire.openai import body_for, read_request
from app.wire.routes import match
from app.wire.strict_json import members_of

CHAT = "/v1/chat/completions"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def read(fields: dict[str, Any], path: str = CHAT) -> InferenceRequest:
    return read_request(match("POST", path, ""), json.dumps(fields).encode())


def refused(fields: dict[str, Any], path: str = CHAT) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as caught:
        read(fields, path)
    return caught.value


def test_a_plain_request() -> None:
    """What is not said has the API's own default."""
    request = read({"model": "gpt-4o", "messages": []})
    assert request.model == "gpt-4o"
    assert not request.stream
    assert (request.output_cap, request.choices, request.stores) == (None, 1, False)
    assert not request.adds_usage


def test_the_urls_model_wins() -> None:
    """As on Azure: the body's name does not matter where the URL has one, and may be missing."""
    path = "/openai/deployments/gpt-4o/chat/completions"
    assert read({"model": "other"}, path).model == "gpt-4o"
    assert read({}, path).model == "gpt-4o"


@pytest.mark.parametrize(
    ("fields", "cap"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7, "max_tokens": 5}, 7),
        ({"max_output_tokens": 9, "max_tokens": 5}, 9),
        ({"max_tokens": 5000.0}, 5000),  # a whole number to JSON Schema, and to readers by it
        ({"max_tokens": 5e3, "max_completion_tokens": 7}, 5000),
        ({"max_tokens": 1e300}, None),
        ({"max_tokens": None}, None),
    ],
)
def test_the_largest_cap_counts(fields: dict[str, Any], cap: int | None) -> None:
    """Every name of the output cap is read; null is none."""
    assert read({"model": "m", **fields}).output_cap == cap


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/chat/completions", {"max_tokens", "max_completion_tokens"}),
        ("/v1/completions", {"max_tokens"}),
        ("/v1/responses", {"max_output_tokens"}),
        ("/v1/embeddings", set()),
    ],
)
def test_a_cap_of_another_api_is_none(path: str, names: set[str]) -> None:
    """An upstream passes over it, and answers at any length."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        for more in ({}, {"messages": [{"role": "user", "content": "Hi"}]}):  # read in one go
            cap = read({"model": "m", name: 9, **more}, path).output_cap
            assert cap == (9 if name in names else None)


@pytest.mark.parametrize(
    ("fields", "choices"),
    [({}, 1), ({"n": 3}, 3), ({"best_of": 4, "n": 2}, 4), ({"n": None}, 1)],
)
def test_choices_multiply(fields: dict[str, Any], choices: int) -> None:
    """The larger of `n` and `best_of` is what gets generated."""
    assert read({"model": "m", **fields}).choices == choices


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", 1),
        (["a"], 1),
        (["a", "b", "c"], 3),
        ([[1, 2], [3]], 2),
        ([1, 2, 3], 1),
        ([], 1),
        (None, 1),
        ({"a": 1}, 1),
    ],
)
def test_prompts_multiply_too(prompt: object, prompts: int) -> None:
    """Of a list of texts, or of lists of tokens, each is answered; tokens alone are one prompt."""
    assert read({"model": "m", "prompt": prompt}, "/v1/completions").prompts == prompts
    assert read({"model": "m", "prompt": prompt}).prompts == 1


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "model", "missing_required_parameter"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": 4}, "model", "invalid_value"),
        ({"model": "m" * 257}, "model", "invalid_value"),
        ({"model": "m", "stream": "true"}, "stream", "invalid_value"),
        ({"model": "m", "stream": 1}, "stream", "invalid_value"),
        ({"model": "m", "stream_options": True}, "stream_options", "invalid_value"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    """The refusal says which field, as OpenAI's does."""
    error = refused(fields)
    assert (error.param, error.code, error.status) == (param, code, 400)
    assert f"'{param}'" in error.message


@pytest.mark.parametrize("value", ["", 7, [], "r" * 513])
def test_a_previous_response_must_be_an_id(value: object) -> None:
    """Only on the Responses API: elsewhere the field means nothing to us."""
    fields = {"model": "m", "previous_response_id": value}
    assert refused(fields, "/v1/responses").param == "previous_response_id"
    assert read(fields).previous_response_id is None


def test_what_a_request_takes_up_is_known_or_refused() -> None:
    """However its bytes spell a name: it is looked for in what was read."""
    route = match("POST", "/v1/responses", "")
    item = b'{"type": "item_\\u0072eference", "\\u0069d": "msg_1"}'
    assert read_request(route, b'{"model": "m", "input": [%b]}' % item).references == ("msg_1",)
    with pytest.raises(MalformedRequest) as caught:
        read_request(route, b'{"model": "m", "input": [{"file_\\u0069d": "file-1"}]}')
    assert caught.value.param == "input[0].file_id"
    assert read({"model": "m"}).references == ()


def test_a_response_is_stored_unless_told_otherwise() -> None:
    """OpenAI's default; chat completions are not stored for us to find."""
    assert read({"model": "m"}, "/v1/responses").stores
    assert read({"model": "m", "store": None}, "/v1/responses").stores
    assert not read({"model": "m", "store": False}, "/v1/responses").stores
    assert not read({"model": "m", "store": True}).stores
    previous = {"model": "m", "previous_response_id": "resp_1"}
    assert read(previous, "/v1/responses").previous_response_id == "resp_1"


def test_responses_alone_are_made_in_the_background() -> None:
    """Where they say so; other operations know no such thing."""
    assert read({"model": "m", "background": True}, "/v1/responses").background
    for said in (False, None):
        assert not read({"model": "m", "background": said}, "/v1/responses").background
    assert not read({"model": "m", "background": True}).background


@pytest.mark.parametrize(
    ("query", "stream"), [("", False), ("stream=true", True), ("stream=false", False)]
)
def test_stored_responses_have_no_body_to_read(*, query: str, stream: bool) -> None:
    """A retrieve may ask for a stream in its query; whatever its body is, it is passed on."""
    request = read_request(match("GET", "/v1/responses/resp_1", query), b"not JSON")
    assert (request.model, request.stream, request.body) == ("", stream, b"not JSON")
    assert not request.adds_usage


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Model", "model"),
        ("CONVERSATION", "conversation"),
        ("Previous_Response_Id", "previous_response_id"),
        ("\u017ftream", "stream"),  # a long s, which is an s to readers who do not mind case
    ],
)
def test_a_name_that_decides_has_one_spelling(name: str, meant: str) -> None:
    """A reader that does not mind case would take another model than was counted and allowed."""
    error = refused({"model": "m", "messages": [], name: "other"})
    assert (error.param, error.code) == (name, "invalid_value")
    assert f"'{meant}'" in error.message


def test_no_spelling_hides_what_is_stored() -> None:
    """In a chat that is otherwise a plain one, too."""
    fields = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert refused({**fields, "Data_Sources": [{"type": "azure_search"}]}).param == "Data_Sources"


def test_other_names_are_the_upstreams_business() -> None:
    """Whatever their spelling: none of them routes."""
    fields = {"model": "m", "messages": [], "topP": 1, "N": 2, "X": 2, "\u00fc": 3, "k9": 4}
    assert read(fields).model == "m"


def test_the_depth_limit_is_handed_on() -> None:
    """The configured depth is the one that counts."""
    with pytest.raises(MalformedRequest, match="deeper than 2 levels"):
        read_request(match("POST", CHAT, ""), b'{"model":"m","a":[[]]}', max_depth=2)


@pytest.mark.parametrize(
    ("path", "fields", "adds"),
    [
        (CHAT, {"stream": True}, True),
        ("/v1/completions", {"stream": True}, True),
        (CHAT, {"stream": True, "stream_options": None}, True),
        (CHAT, {"stream": True, "stream_options": {"include_usage": False}}, True),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, False),
        (CHAT, {"stream": False}, False),
        (CHAT, {}, False),
        ("/v1/responses", {"stream": True}, False),
    ],
)
def test_who_asks_for_the_usage_frame(*, path: str, fields: dict[str, Any], adds: bool) -> None:
    """We do, in a stream that has such frames, unless the caller did."""
    request = read({"model": "m", **fields}, path)
    assert request.adds_usage == adds
    assert (body_for(request, None) == request.body) is not adds


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
    ],
)
def test_stream_options_are_merged(options: dict[str, Any] | None, sent: dict[str, Any]) -> None:
    """The caller's other options stay; null counts as none given, as does their absence."""
    fields: dict[str, Any] = {"model": "m", "stream": True}
    for given_fields in (fields, {**fields, "stream_options": options}):
        body = json.loads(body_for(read(given_fields), None))
        expected = sent if "stream_options" in given_fields else {"include_usage": True}
        assert body == {**given_fields, "stream_options": expected}


def test_null_options_in_any_spelling_are_none() -> None:
    """White space around the null does not make it an object."""
    route = match("POST", CHAT, "")
    request = read_request(route, b'{"model":"m","stream":true,"stream_options" :\n null }')
    assert json.loads(body_for(request, None))["stream_options"] == {"include_usage": True}


@given(
    others=st.dictionaries(st.text(max_size=8).filter(lambda name: name != "n"), json_values),
    model=st.sampled_from([None, "gpt-4o-ptu", 'a"b\\']),
    stream=st.sampled_from([None, False, True]),
)
def test_nothing_else_in_a_body_changes(
    *, others: dict[str, Any], model: str | None, stream: bool | None
) -> None:
    """Fields of tomorrow, and today's, keep their bytes and their order."""
    fields = {**others, "model": "m", "stream": stream}
    request = read(fields)
    before, after = members_of(request.body), members_of(body_for(request, model))
    changed = {"model", "stream_options"}
    assert {n: v for n, v in after.items() if n not in changed} == {
        n: v for n, v in before.items() if n not in changed
    }
    assert json.loads(after["model"]) == (model or "m")
    assert ("stream_options" in after) == (stream is True)


def test_an_unchanged_body_is_the_callers_own_bytes() -> None:
    """Spaces, escapes and all; also where the deployment is called what the caller wrote."""
    body = b' { "model" : "m" , "a":"\\u0061" }\n'
    request = read_request(match("POST", CHAT, ""), body)
    assert body_for(request, None) is body
    assert body_for(request, "m") is body


def test_the_model_of_a_url_is_no_model_of_the_body() -> None:
    """Where the URL named it, the body may say another, or none."""
    route = match("POST", "/openai/deployments/m/chat/completions", "")
    for body in (b"{}", b'{"model":"other"}'):
        assert members_of(body_for(read_request(route, body), "m"))["model"] == b'"m"'


@pytest.mark.parametrize("junk", [0, -1, 1.5, "2", True, None, [1]])
def test_what_is_no_count_is_left_to_the_upstream(junk: object) -> None:
    """It refuses in its own words; to us it is as if none had been given."""
    body = json.dumps({"model": "m", "n": junk, "best_of": junk, "max_tokens": junk}).encode()
    request = read_request(match("POST", "/v1/completions", ""), body)
    assert (request.choices, request.output_cap) == (1, None)
    assert request.body == body
