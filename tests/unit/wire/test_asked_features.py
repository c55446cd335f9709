"""What a body makes use of, wherever it says so and however that is spelled."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.policy.rules import Feature
from app.wire.asked_features import features_of
from app.wire.routes import match

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def asked(api: str, **body: Any) -> dict[Feature, str]:
    """Features by the field that asks for each."""
    return features_of(match("POST", PATHS[api], "").operation, {"model": "m", **body})


@pytest.mark.parametrize(
    ("api", "body", "features"),
    [
        ("chat", {}, {}),
        ("chat", {"n": 1, "logprobs": False, "store": False, "tools": []}, {}),
        ("chat", {"tools": [{"type": "function"}]}, {"tools": "tools"}),
        ("chat", {"functions": [{"name": "f"}]}, {"tools": "functions"}),
        (
            "responses",
            {"store": False, "tools": [{"type": "mcp"}]},
            {"tools": "tools", "hosted_tools": "tools"},
        ),
        (
            "responses",
            {"store": False, "tools": [{"type": "web_search_preview"}]},
            {"tools": "tools", "hosted_tools": "tools", "web_search": "tools"},
        ),
        (
            "chat",
            {"web_search_options": {}},
            dict.fromkeys(("tools", "hosted_tools", "web_search"), "web_search_options"),
        ),
        ("chat", {"n": 2}, {"several_answers": "n"}),
        (
            "completions",
            {"best_of": 3, "logprobs": 0},
            {"several_answers": "best_of", "logprobs": "logprobs"},
        ),
        ("chat", {"top_logprobs": 2, "logprobs": True}, {"logprobs": "top_logprobs"}),
        (
            "responses",
            {"store": False, "include": ["message.output_text.logprobs"]},
            {"logprobs": "include"},
        ),
        ("responses", {}, {"store": "store"}),
        ("responses", {"store": None}, {"store": "store"}),
        ("chat", {"store": True}, {"store": "store"}),
        ("responses", {"store": False, "background": True}, {"background": "background"}),
        (
            "chat",
            {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": [IMAGE]}]},
            {"images": "messages[1]"},
        ),
        (
            "responses",
            {
                "store": False,
                "input": [
                    {"type": "computer_call_output", "output": {"type": "computer_screenshot"}}
                ],
            },
            {"images": "input[0]"},
        ),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            {"files": "messages[0]"},
        ),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            {"audio": "messages[0]"},
        ),
        ("chat", {"modalities": ["text", "audio"]}, {"audio": "modalities"}),
    ],
)
def test_features_are_told_with_their_field(
    api: str, body: dict[str, Any], features: dict[str, str]
) -> None:
    """A response is stored unless it says otherwise."""
    expected = {Feature(name): field for name, field in features.items()}
    assert asked(api, **body) == expected


SEARCH = {"type": "web_search_preview"}


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search_preview_2025_03_11"},
        {"type": "Web_Search"},
        {"Type": "web_search"},
        {"type": "web-search"},
        {"type": "function", "Type": "web_search"},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function"}, SEARCH]},
        {"type": "namespace", "tools": [{"type": "namespace", "Tools": [SEARCH]}]},
        {"type": "namespace", "tools": SEARCH},
        {"type": "bing_grounding", "bing_grounding": {}},
        {"type": "bing_custom_search_preview"},
        {"type": "browser_automation_preview"},
        {"type": "web_fetch"},
        {"type": "x_search"},
        {"google_search": {}},
        [{"type": "web_search"}],
        {"type": "namespace", "functions": [SEARCH]},
        {"type": "something", "of": {"it": SEARCH}},
        {"type": "builtin_function", "function": {"name": "$web_search"}},
        {"type": "plugin", "description": "Searches the web: search-web"},
        {"type": "mcp", "server_label": "Web Search", "server_url": "https://x.example"},
        {"type": "mcp", "server_label": "x", "allowed_tools": ["fetch", "web_search"]},
        {"type": "mcp", "server_label": "x", "allowed_tools": {"tool_names": ["searchWeb"]}},
        {"type": "mcp", "server_url": "https://x.example/bing/mcp"},
    ],
    ids=str,
)
def test_a_search_of_the_web_is_found_wherever_it_is_defined(tool: Any) -> None:
    """At the top, within other tools, and among those that a search of tools has found."""
    found = asked("responses", store=False, tools=[{"type": "function"}, tool])
    assert found[Feature.WEB_SEARCH] == found[Feature.HOSTED_TOOLS] == "tools"
    for kind in ("tool_search_output", "additional_tools", "mcp_list_tools"):
        items = [{"role": "user", "content": "x"}, {"type": kind, "tools": [tool]}]
        found = asked("responses", store=False, input=items)
        assert set(found) == {Feature.TOOLS, Feature.HOSTED_TOOLS, Feature.WEB_SEARCH}
        assert set(found.values()) == {"input[1]"}


@pytest.mark.parametrize(
    "body",
    [
        {"web_search_options": {}},
        {"web_search": True},
        {"search_parameters": {"mode": "auto"}},
        {"enable_search": True},
        {"tool_choice": SEARCH},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [SEARCH]}}},
    ],
    ids=str,
)
def test_a_search_may_be_asked_for_without_a_tool(body: dict[str, Any]) -> None:
    """By a parameter, as other servers have it, too; a choice names what is stored elsewhere."""
    found = asked("chat", **body)
    assert set(found) == {Feature.TOOLS, Feature.HOSTED_TOOLS, Feature.WEB_SEARCH}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "web_search"}}]},
        {"tools": [{"type": "custom", "custom": {"name": "bing"}}]},
        {
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "parameters": {"type": "object", "properties": {"web_search": {}, "tools": []}},
                }
            ]
        },
        {
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "description": "web search",
                    "parameters": {"type": "object", "default": {"type": "web_search"}},
                }
            ]
        },
        {"tool_choice": "auto", "search_parameters": None, "enable_search": False},
        {"tool_choice": {"type": "function", "function": {"name": "web_search"}}},
    ],
    ids=str,
)
def test_the_callers_own_functions_are_no_searches(body: dict[str, Any]) -> None:
    """Whatever they are called: the caller runs them."""
    found = asked("chat", **body)
    assert not {Feature.HOSTED_TOOLS, Feature.WEB_SEARCH} & set(found)


def test_other_tools_that_run_upstream_are_no_searches() -> None:
    """Files, code, servers whose names say nothing of the web, and a search of the past."""
    tools: list[dict[str, Any]] = [
        {"type": kind} for kind in ("file_search", "code_interpreter", "tool_search")
    ]
    tools.append({"type": "mcp", "server_label": "crm", "server_url": "https://crm.example"})
    own = {"type": "function", "name": "web_search", "description": "our own search of the web"}
    tools.append({"type": "namespace", "description": "web search", "tools": [own]})
    past = [{"type": "web_search_call", "id": "ws_1", "status": "completed"}]
    found = asked("responses", store=False, tools=tools, input=past)
    assert found == {Feature.TOOLS: "tools", Feature.HOSTED_TOOLS: "tools"}


@pytest.mark.parametrize(
    ("part", "feature"),
    [
        ({"Type": "Image_URL"}, Feature.IMAGES),
        ({"type": "text", "Image_Url": {}}, Feature.IMAGES),
        ({"TYPE": "input_file"}, Feature.FILES),
        ({"type": "text", "File_Data": "x"}, Feature.FILES),
        ({"type": "Input_Audio"}, Feature.AUDIO),
        ({"type": "text", "input_audio": {}}, Feature.AUDIO),
    ],
    ids=str,
)
def test_parts_are_found_in_any_spelling(part: dict[str, Any], feature: Feature) -> None:
    """A reader upstream may not look at case."""
    found = asked("chat", messages=[{"role": "user", "content": [part]}])
    assert found == {feature: "messages[0]"}
