"""Targets that are known again: what is kept of them, and what is not."""

from __future__ import annotations

import pytest

from app.api.strict_head import BadHead, Targets


def test_a_target_is_read_once() -> None:
    """The same parts, as the same object."""
    targets = Targets()
    assert targets[b"/v1/chat/completions"] == ("/v1/chat/completions", "")
    assert targets[b"/v1/chat/completions"] is targets[b"/v1/chat/completions"]


_UNUSUAL = (b"/v1/models?api-key=spg_x", b"/v1/responses/resp_1/cancel", b"/v1/" + b"a" * 300)


@pytest.mark.parametrize("target", _UNUSUAL)
def test_what_may_hold_a_key_or_hardly_comes_again_is_not_kept(target: bytes) -> None:
    """It is read all the same."""
    targets = Targets()
    path, query = targets[target]
    assert f"{path}?{query}".rstrip("?").encode() == target
    assert not targets


def test_no_more_are_kept_than_a_gateway_has() -> None:
    """Whoever asks at many paths costs no memory."""
    targets = Targets()
    for number in range(1000):
        assert targets[b"/v1/models/%d" % number] == (f"/v1/models/{number}", "")
    assert len(targets) == 512


def test_what_is_no_target_is_refused_each_time() -> None:
    """Nothing of it is kept."""
    targets = Targets()
    for _ in range(2):
        with pytest.raises(BadHead):
            targets[b"/v1#models"]
    assert not targets
