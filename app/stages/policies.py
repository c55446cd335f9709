"""Refuse what a tenant may not ask for, or note it, before anything is taken for it.

What a tenant's policy comes to is worked out when it is first met and kept for as long as the
tenant says the same; where it comes to nothing, a request costs a look into a dict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from app.domain.call.request import INFERENCE, InferenceRequest
from app.domain.identity.tenant import Principal
from app.domain.policy.asked import Asked
from app.domain.policy.decision import (
    body_findings,
    looks_at_names,
    looks_into_body,
    size_findings,
    text_findings,
    token_findings,
)
from app.domain.policy.findings import Finding, PolicyKind, is_blocking
from app.domain.policy.rules import InputPolicy, SafetyRule, in_force
from app.domain.policy.safety import SafetyVerdict, Unchecked, safety_findings, texts_of
from app.domain.routing.deployment import Fleet
from app.domain.routing.route import Choices
from app.errors import PolicyViolation, SafetyUnavailable, SpillgateError
from app.observation import Observation
from app.ports import TokenEstimator
from app.ports.safety import ContentSafety
from app.settings.patterns import Search, search_of
from app.wire.asked import asked_of, names_of

#: Bodies up to this many bytes are looked into at once: two milliseconds with fifty patterns.
_INLINE_BYTES: Final = 8 * 1024
#: Tenants of which is remembered what their policy comes to; beyond that all begin anew.
_MOST_KNOWN: Final = 10_000
#: For a text that could not be checked. Seconds.
_RETRY_S: Final = 1.0


class _Known(msgspec.Struct, frozen=True):
    """What a tenant says, and what comes of it; `policy` None: nothing."""

    own: InputPolicy
    policy: InputPolicy | None
    looks_at_names: bool = False
    looks_into_body: bool = False


class Policies:
    """Input policies of one configuration snapshot."""

    def __init__(
        self,
        general: InputPolicy,
        fleet: Fleet,
        estimator: TokenEstimator,
        *,
        safety: ContentSafety | None = None,
        compiled: Callable[[str], Search] = search_of,
    ) -> None:
        """`general` holds for every tenant that does not say otherwise."""
        self._safety = safety
        self._general = general
        self._fleet = fleet
        self._estimator = estimator
        self._compiled = compiled
        self._known: dict[str, _Known] = {}

    async def check(
        self,
        principal: Principal,
        request: InferenceRequest,
        choices: Choices,
        observation: Observation,
    ) -> None:
        """Put what is found into `observation`, and the length of a prompt that was counted.

        Raises PolicyViolation for the first that blocks, and SafetyUnavailable where a text could
        not be checked that must be.
        """
        tenant = principal.tenant
        known = self._known.get(tenant.name)
        if known is None or known.own is not tenant.policy:
            known = self._of(tenant.name, tenant.policy)
        if known.policy is None or request.operation not in INFERENCE:
            return
        policy, asked = known.policy, Asked()
        _tell(size_findings(policy, request), observation)
        if known.looks_at_names:
            asked, found = await self._looked_into(known, policy, request)
            _tell(found, observation)
        if policy.max_prompt_tokens is not None:
            model = self._fleet.deployments[choices.deployments[0]].model
            prompt = observation.prompt = await self._estimator.prompt(request, model)
            _tell(token_findings(policy, prompt), observation)
        # Last, as it costs time and money.
        if policy.content_safety is not None and policy.content_safety.is_on:
            judged = await self._checked(policy.content_safety, asked, tenant.name)
            _tell(judged, observation)

    def _of(self, tenant: str, own: InputPolicy) -> _Known:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        policy = in_force(self._general, own)
        if policy is None:
            known = _Known(own, None)
        else:
            known = _Known(own, policy, looks_at_names(policy), looks_into_body(policy))
        self._known[tenant] = known
        return known

    async def _looked_into(
        self, known: _Known, policy: InputPolicy, request: InferenceRequest
    ) -> tuple[Asked, list[Finding]]:
        """Long bodies in a thread: the engine lets the loop go on meanwhile."""
        found = self._found if known.looks_into_body else _found_of_names
        if len(request.body) <= _INLINE_BYTES:
            return found(policy, request)
        return await asyncio.to_thread(found, policy, request)

    def _found(self, policy: InputPolicy, request: InferenceRequest) -> tuple[Asked, list[Finding]]:
        asked = asked_of(request)
        found = list(body_findings(policy, asked))
        if not any(map(is_blocking, found)):
            found += self._in_texts(policy, asked)
        return asked, found

    async def _checked(self, rule: SafetyRule, asked: Asked, tenant: str) -> Iterable[Finding]:
        if self._safety is None:
            verdict = SafetyVerdict(unchecked=Unchecked.NOT_CONFIGURED)
        else:
            verdict = await self._safety.check(texts_of(rule, asked.passages), rule, tenant)
        return safety_findings(rule, verdict)

    def _in_texts(self, policy: InputPolicy, asked: Asked) -> Iterable[Finding]:
        searches: Mapping[str, Search] = {
            rule.name: self._compiled(rule.pattern) for rule in policy.patterns
        }
        return text_findings(policy, asked, lambda name, text: searches[name](text))


def _found_of_names(policy: InputPolicy, request: InferenceRequest) -> tuple[Asked, list[Finding]]:
    asked = Asked(parameters=names_of(request))
    return asked, list(body_findings(policy, asked))


def _tell(findings: Iterable[Finding], observation: Observation) -> None:
    for finding in findings:
        observation.findings += (finding,)
        if is_blocking(finding):
            raise _refusal(finding)


def _refusal(finding: Finding) -> SpillgateError:
    if finding.kind is PolicyKind.UNCHECKED:
        message = "The text of the request could not be checked; try again."
        return SafetyUnavailable(message, retry_after_s=_RETRY_S)
    return PolicyViolation(
        f"The request is refused by the policy `{finding.name}`: {finding.why}.",
        policy=finding.name,
        param=finding.field or None,
    )
