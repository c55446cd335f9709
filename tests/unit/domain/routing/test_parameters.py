"""Deployments that do not take what a request sets are left out, or the request is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.spill import SpillReason
from app.domain.routing.deployment import Deployment, Target
from app.domain.routing.parameters import parameters_set, taking
from app.domain.routing.route import NEVER, Absence, Choices
from app.errors import UnsupportedParameter
from tests.fakes.changed import replace
from tests.fakes.house import deployment

TIERS = ((Target("ptu"),), (Target("a", 3.0), Target("b")))
BEFORE = Absence("eu", 0, SpillReason.POLICY, NEVER)
CHOICES = Choices(TIERS, (BEFORE,))
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def refusing(**refuses: set[str]) -> dict[str, Deployment]:
    """The deployments, and what each refuses."""
    names = ("ptu", "a", "b", "eu")
    return {
        name: replace(deployment(name), refuses=frozenset(refuses.get(name, ()))) for name in names
    }


@given(st.dictionaries(st.text() | st.sampled_from(["top_p", "stop"]), VALUES))
def test_what_is_set_is_what_a_json_reader_finds(body: dict[str, object]) -> None:
    """Whatever the values are, in the body's order; null is the default."""
    asked = {"top_p", "stop", *list(body)[::2]}
    expected = [name for name, value in body.items() if name in asked and value is not None]
    assert list(parameters_set(json.dumps(body).encode(), asked)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"top_p": nul}',
        b'{"\xff": 1}',
        b'{"a": {"top_p": 1}}',
        b'{"a": "top_p"}',
        b'{"top_p": null}',
    ],
)
def test_what_sets_nothing(body: bytes) -> None:
    """No object, a broken one, and the name elsewhere than at the top."""
    assert parameters_set(body, {"top_p"}) == ()


def test_an_escaped_name_is_the_name() -> None:
    """The upstream would read it, too."""
    assert parameters_set(b'{"top\\u005fp": 1}', {"top_p"}) == ("top_p",)


def test_nobody_is_left_out_for_what_is_not_set() -> None:
    """The very same choices, and an unreadable body is the upstream's to refuse."""
    body = b'{"temperature": 1}'
    assert taking(CHOICES, refusing(), b"not looked at") is CHOICES
    assert taking(CHOICES, refusing(ptu={"top_p"}), body) is CHOICES
    assert taking(CHOICES, refusing(eu={"temperature"}), body) is CHOICES, "not a choice"


def test_those_that_refuse_it_are_left_out_and_the_rest_stay() -> None:
    """Tiers keep their places, so that serving from the second is still spilling."""
    deployments = refusing(ptu={"temperature"}, a={"top_p", "temperature"}, b={"stop"})
    left = taking(CHOICES, deployments, b'{"temperature": 0}')
    assert left.tiers == ((), (Target("b"),))
    assert left.absences == (
        BEFORE,
        Absence("ptu", 0, SpillReason.POLICY, NEVER),
        Absence("a", 1, SpillReason.POLICY, NEVER),
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"top_p": 1, "temperature": 1}, "temperature"),
        ({"temperature": 1}, "temperature"),
        ({"stop": "x", "logit_bias": {}, "top_p": 1}, "stop"),
    ],
)
def test_what_nobody_takes_is_refused_by_name(body: dict[str, object], param: str) -> None:
    """What all refuse before what one does; nothing is dropped to make it fit."""
    common = {"temperature"}
    deployments = refusing(
        ptu=common | {"top_p"}, a=common | {"stop"}, b=common | {"logit_bias", "top_p"}
    )
    with pytest.raises(UnsupportedParameter) as caught:
        taking(CHOICES, deployments, json.dumps(body).encode())
    assert (caught.value.status, caught.value.code) == (400, "unsupported_parameter")
    assert caught.value.param == param
    assert caught.value.message == (
        f"Unsupported parameter: '{param}' is not supported with this model."
    )
