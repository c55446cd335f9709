"""What a request says about itself."""

from __future__ import annotations

import pytest

from app.domain.call.request import (
    INFERENCE,
    STORED_RESPONSE,
    Accounting,
    InferenceRequest,
    Operation,
    Route,
    shown,
)


def request(
    operation: Operation, *, stream: bool = False, wants_usage: bool = False
) -> InferenceRequest:
    route = Route(operation, "POST", Accounting.TOKENS)
    return InferenceRequest(route, "m", b"{}", stream=stream, wants_usage=wants_usage)


@pytest.mark.parametrize("operation", Operation)
def test_only_streams_with_usage_frames_get_one_added(operation: Operation) -> None:
    """Chat and legacy completions have such frames; the caller's own wish is left alone."""
    has_frames = operation in {Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS}
    assert request(operation, stream=True).adds_usage == has_frames
    assert not request(operation, stream=True, wants_usage=True).adds_usage
    assert not request(operation).adds_usage


def test_the_operation_is_the_routes() -> None:
    """There is one truth about what is asked for."""
    assert request(Operation.EMBEDDINGS).operation is Operation.EMBEDDINGS


def test_no_operation_is_of_two_kinds() -> None:
    """What generates is not what reads back."""
    assert not INFERENCE & STORED_RESPONSE


KEYS = (
    "spg_test_aB3dE6gH9k_" + "x1Y" * 14 + "z0123ab",
    "sk-" + "aB3" * 16,
    "sk-proj-aB3_dE6-gH9kaB3",
    "sk-ant-api03-" + "aB3_" * 8,
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "0123456789abcdef" * 2,
    "aB3dE6gH9k" * 8 + "Wxyz",
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "gpt-4o/{}", "Bearer {} ", "/v1/{}/x?y={}", "({})"])
def test_nothing_like_a_key_is_repeated(key: str, around: str) -> None:
    """Wherever it stands, no part of it is left that is worth anything."""
    told = shown(around.format(key, key))
    assert "(not shown)" in told
    assert not any(key[start : start + 12] in told for start in range(len(key) - 11))


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "gpt-4.1-nano-2025-04-14",
        "task-runner-of-the-search-team",
        "org/meta-llama-3.1-405b-instruct",
        "ft:gpt-4o-mini-2024-07-18:contoso::9aBcDeFg",
        "/openai/deployments/gpt-4o/chat/completions",
        "модель",
    ],
)
def test_names_are_repeated(name: str) -> None:
    """A typing error is found by who reads it."""
    assert shown(name) == name


def test_what_is_repeated_is_short() -> None:
    """A refusal is not as long as what is refused."""
    assert shown("m-" * 5000) == "m-" * 100
