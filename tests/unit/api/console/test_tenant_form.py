from __future__ import annotations

from typing import Any

import pytest

from app.api.admin.tenants import NewTenant
from app.api.console.api import valid
from app.api.console.forms import Form
from app.api.console.tenant_form import body_of
from app.domain.cache.policy import rule_of, section_of
from app.domain.identity.directory import TenantEntry
from app.settings import CacheRules


def body(entry: TenantEntry | None = None, /, **fields: str) -> dict[str, Any]:
    """Of a form with these fields, in which a dot is written as two underscores."""
    return body_of(Form([(k.replace("__", "."), v) for k, v in fields.items()]), entry)


def test_what_was_not_sent_is_not_changed() -> None:
    """An empty form is no change at all."""
    assert body() == {}
    assert body(tags="a=b") == {"tags": {"a": "b"}}


def test_fields_are_read_as_people_write_them() -> None:
    """Names with commas or spaces between; nothing is all; lines of tags."""
    found = body(
        models="gpt-4o, gpt-4o-mini", data_zones="", tags="a = b \n\nc=d=e", disabled="yes"
    )
    assert found == {
        "models": ["gpt-4o", "gpt-4o-mini"],
        "data_zones": None,
        "tags": {"a": "b", "c": "d=e"},
        "disabled": True,
    }


@pytest.mark.parametrize(
    ("fields", "spill"),
    [
        ({"spill": "deny"}, "deny"),
        ({"spill": "allow", "spill__usd_per_day": "5"}, "allow"),
        ({"spill": "budget", "spill__usd_per_day": "5"}, {"usd_per_day": "5"}),
        (
            {"spill": "budget", "spill__usd_per_day": "5", "spill__usd_per_hour": "1"},
            {"usd_per_day": "5", "usd_per_hour": "1"},
        ),
    ],
)
def test_a_spill_policy_is_a_word_or_budgets(fields: dict[str, str], spill: object) -> None:
    """Budgets count where they are chosen."""
    assert body(**fields)["spill"] == spill


def test_a_cache_is_switched_and_the_rest_of_what_was_said_of_it_stays() -> None:
    """A time to live that was set otherwise survives a form that does not have it."""
    said = CacheRules.model_validate(
        {"exact": {"enabled": True, "ttl": 60}, "semantic": {"threshold": 0.1}}
    )
    entry = TenantEntry("a", cache=rule_of(said))
    found = body(entry, cache__exact="off", cache__semantic="shadow")["cache"]
    assert found["exact"] == {"enabled": False, "ttl": 60}
    assert found["semantic"] == {"enabled": True, "shadow": True, "threshold": 0.1}
    again = TenantEntry("a", cache=rule_of(CacheRules.model_validate(found)))
    back = body(again, cache__exact="default", cache__semantic="on")["cache"]
    assert back["exact"] == {"ttl": 60}
    assert back["semantic"] == {"enabled": True, "shadow": False, "threshold": 0.1}
    assert section_of(again.cache).exact.ttl == 60


def test_what_no_choice_is_changes_nothing() -> None:
    """Of a form made by hand."""
    entry = TenantEntry("a", cache=rule_of(CacheRules.model_validate({"exact": {"ttl": 60}})))
    assert body(entry, cache__exact="perhaps")["cache"]["exact"] == {"ttl": 60}


def test_identities_come_one_by_one() -> None:
    """With commas or lines between; the API checks what they are."""
    found = body(entra__applications="a,b\nc", entra__groups="")
    assert found["entra"] == {"applications": ["a", "b", "c"], "objects": [], "groups": []}


def test_a_whole_form_is_a_body() -> None:
    """As the page sends it, empty fields and all."""
    sent = {
        "name": "new",
        "models": "",
        "class": "standard",
        "ptu_share": "0.4",
        "ptu_weight": "1",
        "spill": "allow",
        "spill__usd_per_day": "",
        "data_zones": "",
        "regions": "",
        "time_zone": "UTC",
        "redis_loss": "local_share",
        "disabled": "no",
        "cache__exact": "default",
        "cache__semantic": "default",
        "trace_content": "no",
        "tags": "",
        "entra__applications": "",
    }
    made = valid(NewTenant, body(**sent)).made()
    assert (made.name, made.models, made.routing.ptu_share) == ("new", None, 0.4)
