"""What the stage refuses and notes, and what it spares a request that nothing is said about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.call.request import InferenceRequest
from app.domain.identity.tenant import Principal, Tenant
from app.domain.policy.rules import (
    UNSAID,
    Action,
    Failure,
    Feature,
    InputPolicy,
    PatternRule,
    SafetyRule,
)
from app.domain.policy.safety import Category, SafetyTexts, SafetyVerdict, Unchecked
from app.domain.routing.route import Choices
from app.errors import PolicyViolation, SafetyUnavailable
from app.observation import Observation
from app.settings.patterns import Search, search_of
from app.stages.policies import Policies
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.accounts import FakeEstimator
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import fleet

SECRET = InputPolicy(patterns=(PatternRule("secret", "(?i)secret"),))


def chat(content: Any = "Hi", **more: Any) -> InferenceRequest:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}], **more}
    return read_request(match("POST", "/v1/chat/completions", ""), json.dumps(body).encode())


class FakeSafety:
    """Gives one verdict, and keeps what it was asked."""

    def __init__(self) -> None:
        self.verdict = SafetyVerdict()
        self.asked: list[SafetyTexts] = []

    async def check(self, texts: SafetyTexts, rule: SafetyRule, tenant: str) -> SafetyVerdict:
        assert rule.is_on
        assert tenant == "acme"
        self.asked.append(texts)
        return self.verdict


class Door:
    """The stage, and who comes to it."""

    def __init__(self, general: InputPolicy = UNSAID) -> None:
        self.compiled: list[str] = []
        self.estimator = FakeEstimator(prompt=10)
        self.fleet = fleet("ptu", "paygo")
        self.safety = FakeSafety()
        self.stage = Policies(
            general, self.fleet, self.estimator, safety=self.safety, compiled=self._compile
        )
        self.observation = Observation(FakeCall(), FakeClock())

    def _compile(self, pattern: str) -> Search:
        self.compiled.append(pattern)
        return search_of(pattern)

    async def check(
        self, own: InputPolicy = UNSAID, request: InferenceRequest | None = None
    ) -> Observation:
        """Let a request in; refusals are raised."""
        self.observation = Observation(FakeCall(), FakeClock())
        principal = Principal(Tenant("acme", policy=own), "k1")
        choices = Choices(self.fleet.models["gpt-4o"])
        await self.stage.check(principal, request or chat(), choices, self.observation)
        return self.observation


async def test_where_nothing_is_said_nothing_is_looked_at() -> None:
    """No body read, no token counted, no thread begun."""
    door = Door()
    seen = await door.check(UNSAID, chat("x" * 100_000))
    assert (seen.findings, seen.prompt, door.compiled) == ((), None, [])


@pytest.mark.parametrize("size", [1, 100_000], ids=["at-once", "in-a-thread"])
async def test_a_text_is_refused_without_being_repeated(size: int) -> None:
    """In OpenAI's shape: code, the field, and the policy's name."""
    door = Door()
    with pytest.raises(PolicyViolation) as caught:
        await door.check(SECRET, chat("x" * size + "My Secret!"))
    error = caught.value
    assert (error.status, error.type, error.code) == (
        400,
        "invalid_request_error",
        "policy_violation",
    )
    assert (error.param, error.headers) == ("messages[0]", {"x-spillgate-policy": "secret"})
    assert "`secret`" in error.message
    assert "My" not in error.message
    assert [each.text for each in door.observation.findings] == ["block pattern secret"]


@pytest.mark.parametrize(
    ("policy", "more"),
    [
        (SECRET, {"Messages": [{"role": "user", "content": "My Secret!"}]}),
        (InputPolicy(forbidden=(Feature.SEVERAL_ANSWERS,)), {"N": 5}),
        (InputPolicy(max_output_tokens=5), {"max_tokens": 5, "Max_Tokens": 6}),
        (InputPolicy(require_output_cap=True), {"max_tokens": 5, "Max_Tokens": 6}),
        (InputPolicy(max_prompt_tokens=100), {"Messages": []}),
        (SECRET, {"Messages": [], "metadata": {"x": "y" * 10_000}}),
        (InputPolicy(max_output_tokens=5), {"N": 1, "metadata": {"x": "y" * 10_000}}),
    ],
)
async def test_no_rule_is_passed_by_spelling(policy: InputPolicy, more: dict[str, Any]) -> None:
    """Whatever a rule looks for by name; the other name is the field at fault."""
    with pytest.raises(PolicyViolation) as caught:
        await Door().check(policy, chat(**more))
    assert caught.value.param in {"Messages", "N", "Max_Tokens"}
    assert caught.value.headers["x-spillgate-policy"] == "parameter_spelling"


def _part(**part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]}


ASKING: list[tuple[Feature, dict[str, Any]]] = [
    (Feature.TOOLS, {"functions": [{"name": "f"}]}),
    (Feature.HOSTED_TOOLS, {"tools": [{"type": "namespace", "tools": [{"type": "mcp"}]}]}),
    (Feature.WEB_SEARCH, {"tools": [{"type": "web_search_preview"}]}),
    (Feature.WEB_SEARCH, {"tools": [{"type": "namespace", "tools": [{"type": "web_search"}]}]}),
    (Feature.WEB_SEARCH, {"input": [{"type": "new", "tools": [{"type": "web_search"}]}]}),
    (Feature.WEB_SEARCH, {"web_search_options": {}}),
    (Feature.LOGPROBS, {"include": ["message.output_text.logprobs"]}),
    (Feature.SEVERAL_ANSWERS, {"best_of": 2}),
    (Feature.IMAGES, _part(type="image_url", image_url={"url": "https://x.example"})),
    (Feature.FILES, _part(type="input_file", file_url="https://x.example")),
    (Feature.AUDIO, _part(type="input_audio", input_audio={"data": "AA"})),
    (Feature.AUDIO, {"modalities": ["text", "audio"]}),
    (Feature.STORE, {"store": True}),
    (Feature.BACKGROUND, {"background": True}),
]


Spell = Callable[[str], str]


def respelled(value: Any, names: Spell, words: Spell) -> Any:
    """The same, its names and its words spelled otherwise."""
    if isinstance(value, str):
        return words(value)
    if isinstance(value, list):
        return [respelled(each, names, words) for each in value]
    if isinstance(value, dict):
        return {names(name): respelled(each, names, words) for name, each in value.items()}
    return value


@pytest.mark.parametrize("spell", [str.upper, str.title, str.capitalize])
@pytest.mark.parametrize(("feature", "asking"), ASKING)
async def test_no_feature_is_had_by_spelling_it_otherwise(
    feature: Feature, asking: dict[str, Any], spell: Spell
) -> None:
    """Whatever a reader upstream makes of case: the name is refused, or the feature is found."""
    for inner, words in ((str, spell), (spell, str), (spell, spell)):
        for outer in (str, spell):
            more = {outer(name): respelled(each, inner, words) for name, each in asking.items()}
            body = {"model": "gpt-4o", "messages": [], **more}
            route = match("POST", "/v1/chat/completions", "")
            request = read_request(route, json.dumps(body).encode())
            with pytest.raises(PolicyViolation) as caught:
                await Door().check(InputPolicy(forbidden=(feature,)), request)
            rule = caught.value.headers["x-spillgate-policy"]
            own = f"forbidden.{feature.value}"
            assert rule == (own if outer is str else "parameter_spelling")


async def test_spelling_is_nothing_where_only_bytes_are_counted() -> None:
    """A limit of bytes goes by no name."""
    seen = await Door().check(InputPolicy(max_body_bytes=10_000), chat(N=5))
    assert seen.findings == ()


async def test_what_is_only_flagged_passes_and_is_noted() -> None:
    """Every rule that was broken, in their order."""
    rules = InputPolicy(
        action=Action.FLAG,
        max_body_bytes=1,
        max_output_tokens=5,
        forbidden=(Feature.SEVERAL_ANSWERS,),
        max_prompt_tokens=9,
        patterns=(PatternRule("hi", "Hi", Action.FLAG),),
    )
    seen = await Door().check(rules, chat(n=2, max_tokens=6))
    assert [each.text for each in seen.findings] == [
        "flag body_size max_body_bytes",
        "flag output_tokens max_output_tokens",
        "flag feature forbidden.several_answers",
        "flag pattern hi",
        "flag prompt_tokens max_prompt_tokens",
    ]


async def test_flags_before_a_refusal_are_kept() -> None:
    """The records tell all that was found until then."""
    both = InputPolicy(
        patterns=(PatternRule("a", "Hi", Action.FLAG), PatternRule("b", "Hi", Action.BLOCK))
    )
    door = Door()
    with pytest.raises(PolicyViolation):
        await door.check(both)
    assert [each.name for each in door.observation.findings] == ["a", "b"]


async def test_a_counted_prompt_is_not_counted_again() -> None:
    """Admission takes it from the observation."""
    seen = await Door().check(InputPolicy(max_prompt_tokens=10))
    assert (seen.prompt, seen.findings) == (10, ())
    with pytest.raises(PolicyViolation, match="10 tokens, 9 are allowed"):
        await Door().check(InputPolicy(max_prompt_tokens=9))


async def test_what_is_forbidden_by_its_form_is_not_searched() -> None:
    """The cheapest rules come first."""
    door = Door()
    rules = InputPolicy(forbidden=(Feature.SEVERAL_ANSWERS,), patterns=SECRET.patterns)
    with pytest.raises(PolicyViolation, match=r"forbidden\.several_answers"):
        await door.check(rules, chat(n=3))
    assert door.compiled == []


async def test_a_changed_policy_is_in_force_with_the_next_request() -> None:
    """And the general one holds wherever a tenant says nothing."""
    door = Door(InputPolicy(max_body_bytes=1))
    with pytest.raises(PolicyViolation, match="max_body_bytes"):
        await door.check(UNSAID)
    await door.check(InputPolicy(max_body_bytes=10_000))
    with pytest.raises(PolicyViolation, match="max_body_bytes"):
        await door.check(InputPolicy(max_body_bytes=2))


async def test_reading_a_stored_response_is_no_input() -> None:
    """It has no prompt."""
    reading = InferenceRequest(match("GET", "/v1/responses/resp_1", ""), "", b"")
    seen = await Door().check(InputPolicy(require_output_cap=True, max_body_bytes=0), reading)
    assert seen.findings == ()


async def test_a_long_text_does_not_hold_up_the_loop() -> None:
    """The loop goes on many times while half a megabyte is searched with fifty patterns."""
    rules = tuple(PatternRule(f"p{n}", rf"[a-z ]+x{{{n},}}y\d+", Action.FLAG) for n in range(1, 51))
    searching = asyncio.ensure_future(
        Door().check(InputPolicy(patterns=rules), chat("abc xx " * 70_000))
    )
    turns = 0
    while not searching.done():
        await asyncio.sleep(0)
        turns += 1
    await searching
    assert turns > 10


def safe(**rule: Any) -> InputPolicy:
    """A policy that has texts checked."""
    said: dict[str, Any] = {"failure": Failure.CLOSED, "hate": 4} | rule
    return InputPolicy(content_safety=SafetyRule(**said))


async def test_texts_are_checked_only_where_a_tenant_asks_for_it() -> None:
    """And a rule that is off, or that looks for nothing, asks for nothing."""
    door = Door()
    for rules in (UNSAID, safe(enabled=False), safe(hate=None)):
        await door.check(rules)
    assert door.safety.asked == []
    await door.check(safe())
    assert [each.prompts for each in door.safety.asked] == [("Hi",)]


async def test_what_the_classifier_finds_is_refused_or_flagged() -> None:
    """From the severity on that the tenant has set."""
    door = Door()
    door.safety.verdict = SafetyVerdict({Category.HATE: 4, Category.SEXUAL: 7}, attacked=True)
    with pytest.raises(PolicyViolation, match=r"content_safety\.hate"):
        await door.check(safe())
    seen = await door.check(safe(action=Action.FLAG, prompt_shield=True))
    assert [each.text for each in seen.findings] == [
        "flag content_safety content_safety.hate",
        "flag prompt_shield content_safety.prompt_shield",
    ]
    assert (await door.check(safe(hate=5))).findings == ()


async def test_a_text_that_could_not_be_checked_follows_the_failure_policy() -> None:
    """Closed: 503, to be tried again. Open: it passes, flagged."""
    door = Door()
    door.safety.verdict = SafetyVerdict(unchecked=Unchecked.TIMEOUT)
    with pytest.raises(SafetyUnavailable) as caught:
        await door.check(safe())
    assert (caught.value.status, caught.value.retry_after_s) == (503, 1.0)
    seen = await door.check(safe(failure=Failure.OPEN))
    assert [each.text for each in seen.findings] == ["flag unchecked content_safety.timeout"]


async def test_harm_that_was_found_counts_although_not_all_was_checked() -> None:
    """A refusal that another try would not change."""
    door = Door()
    door.safety.verdict = SafetyVerdict({Category.HATE: 6}, unchecked=Unchecked.ERROR)
    with pytest.raises(PolicyViolation):
        await door.check(safe())


async def test_token_ids_cannot_be_checked() -> None:
    """They are refused rather than let pass unread."""
    body = b'{"model":"gpt-4o","input":[1,2,3]}'
    request = read_request(match("POST", "/v1/embeddings", ""), body)
    with pytest.raises(PolicyViolation, match="token ids"):
        await Door().check(safe(), request)
