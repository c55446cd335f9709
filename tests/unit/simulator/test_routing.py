from __future__ import annotations

import pytest

from app.simulator.routing import Target, find_target, segments_of


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        (
            "POST",
            "openai/deployments/d/chat/completions",
            Target("classic", "chat/completions", "d", path_exists=True),
        ),
        ("POST", "openai/v1/embeddings", Target("v1", "embeddings", path_exists=True)),
        ("POST", "openai/responses", Target("classic", "responses", path_exists=True)),
        (
            "GET",
            "openai/v1/responses/r/input_items",
            Target("v1", "responses/input_items", None, "r", path_exists=True),
        ),
        ("GET", "openai/models/m", Target("classic", "models/get", None, "m", path_exists=True)),
        ("GET", "openai/v1/embeddings", Target("v1", None, path_exists=True)),
        ("POST", "openai/v1/nothing", Target("v1", None)),
        ("POST", "openai/deployments/d/responses", None),
        ("POST", "v1/chat/completions", None),
    ],
)
def test_azure_paths(method: str, path: str, expected: Target | None) -> None:
    """Both of Azure's surfaces, and only those, are there."""
    assert find_target(method, path.split("/"), on_azure=True) == expected


def test_openai_paths() -> None:
    """An OpenAI-compatible server has its operations below /v1."""
    target = find_target("POST", ["v1", "chat", "completions"], on_azure=False)
    assert target == Target("openai", "chat/completions", path_exists=True)
    assert find_target("POST", ["openai", "v1", "embeddings"], on_azure=False) is None


def test_a_name_may_contain_an_encoded_slash() -> None:
    """Parts are decoded after the path was split."""
    assert segments_of(b"/ptu/openai/deployments/a%2Fb/embeddings")[3] == "a/b"
