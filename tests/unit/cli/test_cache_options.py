"""What `--cache` says of a tenant's caches."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from app.cli.cache_options import changed, changes, parts
from app.settings import CacheRules


@pytest.mark.parametrize(
    ("options", "cache"),
    [
        (["exact=on"], {"exact": {"enabled": True}}),
        (["exact=off", "exact.ttl=10m"], {"exact": {"enabled": False, "ttl": 600}}),
        (["exact.ttl=90"], {"exact": {"ttl": 90}}),
        (["semantic=on"], {"semantic": {"enabled": True, "shadow": False}}),
        (["semantic=shadow"], {"semantic": {"enabled": True, "shadow": True}}),
        (["semantic=off"], {"semantic": {"enabled": False}}),
        (["semantic.threshold=0.2"], {"semantic": {"threshold": 0.2}}),
        (["semantic.max_prompt_chars=500"], {"semantic": {"max_prompt_chars": 500}}),
        (["coalesce=off"], {"coalesce": False}),
        (["exact=default"], {}),
    ],
)
def test_what_options_say(options: list[str], cache: dict[str, Any]) -> None:
    """In the configuration's own form, which accepts it."""
    assert changed({}, changes(options)) == cache
    assert CacheRules.model_validate(cache).model_dump(exclude_none=True).items() >= cache.items()


def test_every_field_of_the_rules_can_be_said() -> None:
    """A rule that is added to the configuration can be set from the command line."""
    for part, section in (("exact.", CacheRules().exact), ("semantic.", CacheRules().semantic)):
        for name in type(section).model_fields:
            assert changes([f"{part}{name}=default"]) == {f"{part}{name}": None}


def test_what_is_not_given_stays() -> None:
    """And what is unsaid goes, its part with it."""
    kept = {
        "exact": {"enabled": True, "ttl": 60.0},
        "semantic": {"enabled": True, "shadow": True},
        "coalesce": False,
    }
    assert changed(kept, changes(["exact.ttl=default"])) == kept | {"exact": {"enabled": True}}
    assert changed(kept, changes(["semantic=default", "coalesce=on"])) == {
        "exact": {"enabled": True, "ttl": 60.0},
        "coalesce": True,
    }
    assert changed({"exact": {}, "semantic": {}}, changes(["exact=off"])) == {
        "exact": {"enabled": False}
    }


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("exact", "no NAME=VALUE"),
        ("exact=", "none of on, off, default"),
        ("exact=shadow", "none of on, off, default"),
        ("semantic=maybe", "none of on, shadow, off, default"),
        ("exact.tll=5", "did you mean exact.ttl"),
        ("exact.ttl=soon", "no duration"),
        ("semantic.threshold=near", "no number"),
        ("semantic.threshold=nan", "no number"),
        ("semantic.threshold=-1", "no number"),
        ("semantic.shadow=1", "none of on, off, default"),
    ],
)
def test_a_mistake_is_named(option: str, words: str) -> None:
    """Before anything is asked."""
    with pytest.raises(typer.BadParameter, match=words):
        changes([option])


def test_the_same_twice_is_a_mistake() -> None:
    """Whichever way it is said."""
    with pytest.raises(typer.BadParameter, match=r"semantic\.shadow is given twice"):
        changes(["semantic=on", "semantic.shadow=on"])


def test_what_is_shown_of_each_part() -> None:
    """Parts that nothing is said of are left out."""
    kept = {
        "exact": {"ttl": 60.0},
        "semantic": {"enabled": True, "shadow": True, "threshold": 0.2},
        "coalesce": False,
    }
    assert list(parts(kept)) == [
        {"name": "exact", "state": "default", "ttl": 60.0, "more": {}},
        {"name": "semantic", "state": "shadow", "ttl": None, "more": {"threshold": "0.2"}},
        {"name": "coalesce", "state": "off", "ttl": None, "more": {}},
    ]
    assert list(parts({"exact": {}, "semantic": {}})) == []
