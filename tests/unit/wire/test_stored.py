"""What requests name that is stored, and what answers make."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import Operation
from app.errors import MalformedRequest
from app.wire.stored import MOST_REFERENCES, made_by_body, made_by_frames, references_of

NOT_OURS: list[tuple[dict[str, Any], str]] = [
    ({"conversation": "conv_1"}, "conversation"),
    ({"conversation": {"id": "conv_1"}}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"agent": {"name": "a", "type": "agent_reference"}}, "agent"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
        "input[0].content[0].file_id",
    ),
    (
        {
            "input": [
                {"role": "user", "content": "Hi"},
                {
                    "type": "computer_call_output",
                    "call_id": "c",
                    "output": {"type": "computer_screenshot", "file_id": "file-1"},
                },
            ]
        },
        "input[1].output.file_id",
    ),
    (
        {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
        "tools[0].vector_store_ids",
    ),
    (
        {
            "tools": [
                {
                    "type": "code_interpreter",
                    "container": {"type": "auto", "file_ids": ["file-1"]},
                }
            ]
        },
        "tools[0].container.file_ids",
    ),
    (
        {"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "file-1"}}]},
        "tools[0].input_image_mask.file_id",
    ),
    (
        {
            "tools": [
                {
                    "type": "shell",
                    "environment": {
                        "type": "container_auto",
                        "skills": [{"type": "skill_reference", "skill_id": "skill_1"}],
                    },
                }
            ]
        },
        "tools[0].environment.skills[0].skill_id",
    ),
    ({"tools": [{"type": "mcp", "tunnel_id": "t"}]}, "tools[0].tunnel_id"),
    (
        {
            "tools": [
                {
                    "type": "azure_ai_search",
                    "azure_ai_search": {"indexes": [{"project_connection_id": "c"}]},
                }
            ]
        },
        "tools[0].azure_ai_search.indexes[0].project_connection_id",
    ),
]
NOT_OURS_IN_CHAT: list[tuple[dict[str, Any], str]] = [
    ({"data_sources": [{"type": "azure_search"}]}, "data_sources"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        "messages[0].content[0].file.file_id",
    ),
    ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages[0].audio.id"),
    ({"audio": {"format": "wav", "voice": {"id": "voice_1"}}}, "audio.voice.id"),
]

OURS: list[dict[str, Any]] = [
    {"input": "Hi", "conversation": None, "prompt": None},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "data:,"}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": None}]}]},
    {
        "tools": [
            {"type": "function", "parameters": {"properties": {"file_id": {"type": "string"}}}},
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "mcp", "server_url": "https://x", "authorization": "t"},
        ],
        "text": {"format": {"type": "json_schema", "schema": {"file_id": {}}}},
        "metadata": {"file_id": "f", "conversation": "c"},
        "store": True,
    },
    # What an answer said, sent back in full.
    {
        "input": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "T",
                        "annotations": [
                            {"type": "container_file_citation", "container_id": "c", "file_id": "f"}
                        ],
                    }
                ],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "c", "arguments": "{}", "name": "f"},
            {"type": "function_call_output", "id": "fco_1", "call_id": "c", "output": "{}"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"},
        ]
    },
]

TAKEN_UP: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, ("msg_1",)),
    ({"input": [{"id": "msg_1"}, {"type": None, "id": "msg_2"}]}, ("msg_1", "msg_2")),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}] * 2}, ("rs_1",)),
    (
        {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": None}]},
        ("rs_1",),
    ),
    ({"input": [{"type": "image_generation_call", "id": "ig_1"}]}, ("ig_1",)),
    # Nothing makes a reference whole.
    *(
        ({"input": [{"type": kind, "id": "x_1", "encrypted_content": "gAAA"}]}, ("x_1",))
        for kind in ("item_reference", "image_generation_call", "of_tomorrow")
    ),
    ({"input": [{"type": "of_tomorrow", "id": "x_1", "content": "c"}]}, ("x_1",)),
    ({"input": [{"type": ["message"], "id": "x_1", "content": "c"}]}, ("x_1",)),
    ({"input": [{"type": {"a": 1}, "id": "x_1", "encrypted_content": "c"}]}, ("x_1",)),
    (
        {"input": [{"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"}]},
        ("cntr_1", "ci_1"),
    ),
    ({"input": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1"}]}, ("mcpr_1",)),
    ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, ("cntr_1",)),
    ({"prompt_cache_options": {"comparison_response_id": "resp_1"}}, ("resp_1",)),
    ({"prompt_cache_options": {"comparison_response_id": None, "mode": "explicit"}}, ()),
    (
        {
            "tools": [
                {
                    "type": "shell",
                    "environment": {"type": "container_reference", "container_id": "cntr_1"},
                }
            ]
        },
        ("cntr_1",),
    ),
]


def refused(operation: Operation, fields: dict[str, Any]) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as caught:
        references_of(operation, fields)
    return caught.value


@pytest.mark.parametrize(
    ("operation", "fields", "path"),
    [(Operation.RESPONSES, *each) for each in NOT_OURS]
    + [(Operation.CHAT_COMPLETIONS, *each) for each in NOT_OURS_IN_CHAT],
    ids=str,
)
def test_what_nobody_can_own_here_is_refused(
    operation: Operation, fields: dict[str, Any], path: str
) -> None:
    """The refusal names the place, and says why."""
    error = refused(operation, fields)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", path)
    assert f"'{path}'" in error.message


@pytest.mark.parametrize("fields", OURS)
def test_what_a_body_holds_itself_is_none_of_this(fields: dict[str, Any]) -> None:
    """Nor are a function's own names, or what an answer cited."""
    assert references_of(Operation.RESPONSES, fields) == ()


@pytest.mark.parametrize(("fields", "ids"), TAKEN_UP)
def test_what_is_taken_up_is_named_once(fields: dict[str, Any], ids: tuple[str, ...]) -> None:
    """Items that do not say all in themselves, and containers."""
    assert references_of(Operation.RESPONSES, fields) == ids


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"tools": [{"type": "t", "Vector_Store_Ids": ["v"]}]}, "tools[0].Vector_Store_Ids"),
        ({"tools": [{"type": "t", "\u017fkill_id": "s"}]}, "tools[0].\u017fkill_id"),
        ({"input": [{"content": [{"File_Id": "f"}]}]}, "input[0].content[0].File_Id"),
        ({"input": [{"Audio": {"ID": "a"}}]}, "input[0].Audio.id"),
        ({"input": "Hi", "Prompt": {"id": "pmpt_1"}}, "Prompt"),
        ({"Input": [{"content": [{"file_id": "f"}]}]}, "Input[0].content[0].file_id"),
    ],
)
def test_no_spelling_hides_what_nobody_can_own(fields: dict[str, Any], path: str) -> None:
    """Readers that do not mind case would find it."""
    assert refused(Operation.RESPONSES, fields).param == path


@pytest.mark.parametrize(
    "fields",
    [
        {"input": [{"type": "item_reference", "Id": "x_1"}]},
        {"input": [{"Type": "item_reference", "type": "message", "content": "c", "id": "x_1"}]},
        {"tools": [{"type": "code_interpreter", "Container": "x_1"}]},
        {"input": "Hi", "INPUT": [{"type": "item_reference", "id": "x_1"}]},
    ],
)
def test_no_spelling_hides_what_is_taken_up(fields: dict[str, Any]) -> None:
    """Whose it is, is asked of it in any spelling."""
    assert references_of(Operation.RESPONSES, fields) == ("x_1",)


def test_other_operations_have_no_such_fields() -> None:
    """A legacy completion's prompt is a text."""
    assert references_of(Operation.COMPLETIONS, {"prompt": "Hi", "conversation": "c"}) == ()
    assert references_of(Operation.EMBEDDINGS, {"input": [{"id": "msg_1"}]}) == ()


def test_so_many_are_looked_up_and_no_more() -> None:
    """One request must not cost a hundred thousand look-ups."""
    items = [{"type": "item_reference", "id": f"msg_{number}"} for number in range(1001)]
    assert len(references_of(Operation.RESPONSES, {"input": items[1:]})) == MOST_REFERENCES
    assert refused(Operation.RESPONSES, {"input": items}).param == "input"
    long = {"input": [{"type": "item_reference", "id": "m" * 513}]}
    assert refused(Operation.RESPONSES, long).code == "invalid_value"


anything = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4) | st.sampled_from(["file-1", "rs_1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "file_id", "container", "audio", "content"]), inner
        )
    ),
    max_leaves=12,
)


@given(anything, anything, anything)
def test_no_shape_of_a_body_is_a_bug(input_: object, tools: object, messages: object) -> None:
    """Whatever stands there, the answer is ids or a refusal; and no file's id gets through."""
    fields = {"input": input_, "tools": tools, "messages": messages, "audio": input_}
    for operation in (Operation.RESPONSES, Operation.CHAT_COMPLETIONS):
        try:
            ids = references_of(operation, fields)
        except MalformedRequest:
            continue
        assert all(isinstance(each, str) for each in ids)
        parts = [input_, tools] if operation is Operation.RESPONSES else [messages, input_]
        assert not any(_has_file(part) for part in parts)


def _has_file(value: object) -> bool:
    if isinstance(value, dict):
        return bool(value.get("file_id")) or any(map(_has_file, value.values()))
    return isinstance(value, list) and any(map(_has_file, value))


OUTPUT = [
    {"id": "rs_1", "type": "reasoning", "summary": []},
    {"id": "rs_2", "type": "reasoning", "encrypted_content": "gAAA"},
    {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "T"}]},
    {"id": "ci_1", "type": "code_interpreter_call", "container_id": "cntr_1"},
    {"type": "nameless", "content": "text"},
    {"id": "x_1", "type": "of_tomorrow", "encrypted_content": "gAAA"},
]


def test_an_answer_makes_its_items() -> None:
    """All that is stored can be taken up; otherwise what does not say all in itself."""
    body = json.dumps({"id": "resp_1", "output": OUTPUT}).encode()
    assert made_by_body(body, stored=True) == ("rs_1", "rs_2", "msg_1", "ci_1", "cntr_1", "x_1")
    assert made_by_body(body, stored=False) == ("rs_1", "ci_1", "cntr_1", "x_1")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"output": null}', b'{"output": [1]}', b'{"error": {}}']
)
def test_what_is_no_response_makes_nothing(body: bytes) -> None:
    """An upstream may send anything."""
    assert made_by_body(body, stored=True) == ()
    assert made_by_frames(b"data: " + body + b"\n\n", stored=True) == ()


def test_what_a_caller_wrote_makes_nothing() -> None:
    """A response repeats metadata, instructions and tools: no id there is anybody's by that."""
    said = {"id": "rs_9", "output": [{"id": "rs_9"}]}
    fields = {"metadata": said, "instructions": [said], "tools": [said], "output": OUTPUT[:1]}
    assert made_by_body(json.dumps(fields).encode(), stored=True) == ("rs_1",)


def test_the_last_event_of_a_stream_has_all_items() -> None:
    """Whatever other frames came with it."""
    last = {"type": "response.completed", "response": {"output": OUTPUT[:1]}}
    frames = b": ping\n\nevent: response.output_text.done\ndata: {}\n\nevent: x\ndata: "
    frames += json.dumps(last).encode()
    assert made_by_frames(frames, stored=True) == ("rs_1",)
    assert made_by_frames(frames + b"\n\n", stored=True) == ("rs_1",)


NAMES = (
    *("file_id", "file_ids", "container", "container_id", "approval_request_id", "audio", "voice"),
    *("id", "type", "role", "content", "metadata", "parameters", "vector_store_ids", "x"),
)
words = st.sampled_from(["", "a", "message", "function_call"])
parts = st.recursive(
    st.one_of(words, st.none(), st.booleans(), st.integers(0, 1)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=15,
)


class PlainWalk:
    """Every member looked at in turn, as the walk through a body was first written."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def through(self, value: object) -> str | None:
        if isinstance(value, dict):
            return self.members(value)
        if isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, dict | list) and (path := self.through(each)) is not None:
                    return f"[{index}]{path}"
        return None

    def members(self, members: dict[str, Any]) -> str | None:
        for name, value in members.items():
            if name in {"file_id", "file_ids", "vector_store_ids"} and value:
                return f".{name}"
            if isinstance(value, str):
                if name in {"container", "container_id", "approval_request_id"}:
                    self.made.append(value)
            elif isinstance(value, dict | list) and name not in {"metadata", "parameters"}:
                named = name in {"audio", "voice"} and isinstance(value, dict) and value.get("id")
                if named:
                    return f".{name}.id"
                if (path := self.through(value)) is not None:
                    return f".{name}{path}"
        return None


@given(parts)
def test_a_quick_walk_finds_what_a_plain_one_does(messages: Any) -> None:
    """The same first name of unknown owner, or the same things that were made."""
    plain = PlainWalk()
    path = plain.through(messages)
    asked = {"messages": messages}
    if path is not None:
        with pytest.raises(MalformedRequest) as refused:
            references_of(Operation.CHAT_COMPLETIONS, asked)
        assert refused.value.param == f"messages{path}"
    elif all(plain.made):
        made = references_of(Operation.CHAT_COMPLETIONS, asked)
        assert made == tuple(dict.fromkeys(plain.made))
