"""What input policies see of a body: its parameters, its features and every text, decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest
from app.domain.policy.asked import Asked
from app.wire.asked import asked_of
from app.wire.routes import match

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "completions": "/v1/completions",
}


def asked(api: str, **body: Any) -> Asked:
    data = json.dumps({"model": "m", **body}).encode()
    return asked_of(InferenceRequest(match("POST", PATHS[api], ""), "m", data))


def said(found: Asked) -> set[tuple[str, str, str]]:
    return {(each.role.value, each.field, each.text.decode()) for each in found.passages}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def test_texts_of_a_chat_with_who_speaks() -> None:
    """Plain and in parts, calls and their answers; words of the API and data are no text."""
    found = asked(
        "chat",
        messages=[
            {"role": "developer", "content": "rules"},
            {"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"prop": {}}}}],
    )
    texts = said(found)
    assert {
        ("system", "messages[0]", "rules"),
        ("user", "messages[1]", "look"),
        ("assistant", "messages[2]", "{}"),
        ("tool", "messages[3]", "found"),
        ("definition", "tools", "prop"),
    } <= texts
    assert not any(
        text in {"user", "text", "c1"} or "base64" in text
        for role, _, text in texts
        if role != "definition"
    )


def test_texts_of_a_response() -> None:
    """Its instructions, a plain input, items of every kind."""
    assert said(asked("responses", input="hello", instructions="be kind")) == {
        ("user", "input", "hello"),
        ("system", "instructions", "be kind"),
    }
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "two"},
        {"type": "function_call_output", "call_id": "c", "output": "three"},
        {"type": "reasoning", "encrypted_content": "four", "summary": []},
    ]
    texts = said(asked("responses", input=items))
    assert texts == {
        ("user", "input[0]", "one"),
        ("assistant", "input[1]", "f"),
        ("assistant", "input[1]", "two"),
        ("tool", "input[2]", "three"),
    }


@pytest.mark.parametrize(
    ("item", "roles"),
    [
        ({"type": "function_call_output", "role": "assistant"}, {"tool", "assistant"}),
        ({"type": "Function_Call_Output", "role": "assistant"}, {"tool", "assistant"}),
        ({"Type": "function_call_output", "role": "assistant"}, {"tool", "assistant"}),
        ({"type": "mcp_approval_response", "role": "assistant"}, {"user", "assistant"}),
        ({"type": "mcp_approval_response"}, {"user"}),
        ({"type": "reasoning", "role": "user"}, {"assistant", "user"}),
        ({"type": "something_new", "role": "assistant"}, {"user", "assistant"}),
        ({"type": "something_new"}, {"user"}),
        ({"type": "message", "role": "assistant"}, {"assistant"}),
        ({"role": "assistant", "Role": "user"}, {"assistant", "user"}),
        ({"Role": "assistant"}, {"user", "assistant"}),
        ({"type": "message", "Role": "assistant"}, {"user", "assistant"}),
        ({"type": "message"}, {"user"}),
        ({"type": ["function_call"], "role": "assistant"}, {"user", "assistant"}),
        ({"role": ["assistant"]}, {"user"}),
    ],
)
def test_an_item_is_of_every_role_that_it_may_be_read_as(
    item: dict[str, Any], roles: set[str]
) -> None:
    """What says two things of itself gets around no pattern for either."""
    found = said(asked("responses", input=[{**item, "content": "secret"}]))
    by = {role for role, _, text in found if text == "secret"}
    assert by == roles


def test_what_a_tool_has_answered_is_its_own_within_a_call() -> None:
    """Calls of tools that run upstream have the answer in the same item."""
    call = {"type": "mcp_call", "arguments": "{}", "output": "one", "error": "two"}
    search = {"type": "file_search_call", "queries": ["ask"], "results": [{"text": "three"}]}
    run = {"type": "code_interpreter_call", "code": "x", "outputs": [{"logs": "four"}]}
    texts = said(asked("responses", input=[call, search, run]))
    assert {text for role, _, text in texts if role == "tool"} == {"one", "two", "three", "four"}
    assert {text for role, _, text in texts if role == "assistant"} >= {"{}", "ask", "x"}


@pytest.mark.parametrize("kind", ["tool_search_output", "additional_tools", "mcp_list_tools"])
def test_tools_that_an_item_brings_are_definitions(kind: str) -> None:
    """Names of members, too, as in those of the body."""
    tool = {"type": "function", "name": "f", "parameters": {"properties": {"secret": {}}}}
    texts = said(asked("responses", input=[{"type": kind, "tools": [tool]}]))
    assert ("definition", "input[0]", "secret") in texts


def test_a_message_of_a_chat_goes_by_its_role_alone() -> None:
    """A type, which a chat's messages do not have, changes nothing."""
    found = asked("chat", messages=[{"role": "user", "type": "reasoning", "content": "secret"}])
    assert {each.role.value for each in found.passages} >= {"user"}


@pytest.mark.parametrize(("api", "field"), [("embeddings", "input"), ("completions", "prompt")])
def test_texts_of_plain_prompts(api: str, field: str) -> None:
    """One, a list of them, and token ids, which nobody can read."""
    assert said(asked(api, **{field: "one"})) == {("user", field, "one")}
    assert said(asked(api, **{field: ["one", "two"]})) == {
        ("user", f"{field}[0]", "one"),
        ("user", f"{field}[1]", "two"),
    }
    assert asked(api, **{field: "one"}).unreadable == ""
    for ids in ([1, 2], [[1], [2]], ["one", 2]):
        assert asked(api, **{field: ids}).unreadable == field


def test_escapes_are_decoded_once_and_in_arguments_twice() -> None:
    """A letter written by its number is a letter to a model, and so it is here."""
    body = (
        rb'{"model":"m","messages":[{"role":"user","content":"\u0073ecret"},{"role":"assistant",'
        rb'"tool_calls":[{"function":{"name":"f","arguments":"{\"q\":\"\\u0073ecret\"}"}}]}]}'
    )
    found = asked_of(InferenceRequest(match("POST", PATHS["chat"], ""), "m", body))
    texts = {(each.field, each.text) for each in found.passages}
    assert ("messages[0]", b"secret") in texts
    assert ("messages[1]", b"secret") in texts


@pytest.mark.parametrize(
    "arguments",
    [
        r'{"q":"\u0073ecret","q":"nothing"}',
        r'{"q":"\u0073ecret",}',
        r'{"q":"\u0073ecret \ud83d"}',
        r'"\u0073ecret"',
        "\ufeff" + r'{"q":"\u0073ecret"}',
        r'{"q":"\u0073ecret","r":' + "[" * 2000 + "]" * 2000 + "}",
    ],
    ids=["twice", "comma", "surrogate", "string", "mark", "deep"],
)
def test_no_oddity_of_arguments_hides_their_escapes(arguments: str) -> None:
    """The body's reader sees a string there, and refuses none of these."""
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    found = asked("chat", messages=[{"role": "assistant", "tool_calls": [call]}])
    assert any(b"secret" in each.text for each in found.passages)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(api=st.sampled_from(sorted(PATHS)), value=JSON, tools=JSON)
def test_whatever_stands_in_a_body_it_is_read(api: str, value: object, tools: object) -> None:
    """No oddity is an error here: the upstream has words for it."""
    found = asked(api, messages=value, input=value, prompt=value, tools=tools, include=value)
    assert "messages" in found.parameters


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    api=st.sampled_from(["chat", "responses"]),
)
def test_no_text_of_a_message_is_missed(text: str, api: str) -> None:
    """In a plain message, in a part, in a part that nobody knows, and in an argument."""
    field = "messages" if api == "chat" else "input"
    for content in (text, [{"type": "text", "text": text}], [{"type": "new", "new": {"x": text}}]):
        found = asked(api, **{field: [{"role": "user", "content": content}]})
        assert text in [each.text.decode() for each in found.passages]


@pytest.mark.parametrize("api", sorted(PATHS))
def test_texts_under_other_names_are_read_too(api: str) -> None:
    """Other servers know more than OpenAI: templates of chats, documents, forms of the answer."""
    found = said(asked(api, chat_template="one", documents=[{"title": "two"}], plugins={"x": 3}))
    assert {text for role, _, text in found if role == "definition"} >= {"one", "two", "x"}
    assert {field for _, field, _ in found} == {"chat_template", "documents", "plugins"}


@pytest.mark.parametrize("api", sorted(PATHS))
def test_settings_are_no_texts(api: str) -> None:
    """No model reads them, and a pattern for `auto` is not meant for them."""
    settings = {"user": "a", "metadata": {"b": "c"}, "tool_choice": "auto", "service_tier": "d"}
    assert said(asked(api, reasoning={"effort": "low"}, stop=["e"], **settings)) == set()


def test_a_text_is_no_image_for_how_it_begins() -> None:
    """Else `data:` would be the way around every pattern."""
    found = asked("chat", messages=[{"role": "user", "content": "data:,secret"}])
    assert said(found) == {("user", "messages[0]", "data:,secret")}
