"""What `--policy` says, what comes of it, and how it is shown."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from app.cli.policy_options import changed, changes, parts
from app.settings.policy import InputPolicyRules

KEPT: dict[str, Any] = {
    "max_prompt_tokens": 10,
    "content_safety": {"failure": "open", "hate": 4, "roles": ["user", "tool"]},
    "patterns": {"card": {"pattern": "x", "action": "block", "roles": ["user"]}},
}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("max_prompt_tokens=8000", {"max_prompt_tokens": 8000}),
        ("require_output_cap=on", {"require_output_cap": True}),
        ("forbidden=tools,images", {"forbidden": ["tools", "images"]}),
        ("allowed_parameters=", {"allowed_parameters": []}),
        ("action=flag", {"action": "flag"}),
        ("max_body_bytes=default", {"max_body_bytes": None}),
        ("pattern.p=block:a=b:c", {"pattern.p": {"pattern": "a=b:c", "action": "block"}}),
        (
            "pattern.p=flag:user,tool:x:y",
            {"pattern.p": {"pattern": "x:y", "action": "flag", "roles": ["user", "tool"]}},
        ),
        ("pattern.p=default", {"pattern.p": None}),
        (
            "content_safety=failure:open,hate:4,prompt_shield:on,roles:user+tool",
            {
                "content_safety": {
                    "failure": "open",
                    "hate": 4,
                    "prompt_shield": True,
                    "roles": ["user", "tool"],
                }
            },
        ),
        ("content_safety=off", {"content_safety": {"enabled": False, "failure": "open"}}),
    ],
)
def test_what_an_option_says(option: str, said: dict[str, Any]) -> None:
    """As the admin API has it."""
    assert changes([option]) == said


@pytest.mark.parametrize(
    "option",
    [
        "x",
        "max_prompt_tokens=many",
        "max_tokens=3",
        "require_output_cap=x",
        "pattern.p=x",
        "content_safety=x:1",
    ],
)
def test_a_mistake_is_one_of_usage(option: str) -> None:
    """Exit code 2."""
    with pytest.raises(typer.BadParameter):
        changes([option])
    with pytest.raises(typer.BadParameter):
        changes(["action=flag", "action=block"])


def test_a_change_leaves_what_it_does_not_name() -> None:
    """And unsays what is given as default."""
    said = changes(["max_prompt_tokens=default", "pattern.q=flag:y"])
    assert changed(KEPT, said) == {
        "content_safety": KEPT["content_safety"],
        "patterns": KEPT["patterns"] | {"q": {"pattern": "y", "action": "flag"}},
    }
    said = changes(["pattern.card=default", "content_safety=default"])
    assert changed(KEPT, said) == {"max_prompt_tokens": 10}


def test_what_is_kept_is_shown_as_it_would_be_given() -> None:
    """A rule for each line."""
    assert [f"{each['name']}={each['rule']}" for each in parts(KEPT)] == [
        "max_prompt_tokens=10",
        "content_safety=failure:open,hate:4,roles:user+tool",
        "pattern.card=block:user:x",
    ]


def test_every_setting_can_be_said() -> None:
    """A setting that is added later is not forgotten here."""
    for name in InputPolicyRules.model_fields.keys() - {"patterns"}:
        assert name in changes([f"{name}=default"])
