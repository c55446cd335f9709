"""What one request asks of the caches, and what policy and caller allow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from unicodedata import east_asian_width

from app.domain.cache.entry import Bypass, Entry, Question
from app.domain.cache.policy import CachePolicy, SemanticPolicy
from app.domain.call.request import InferenceRequest
from app.wire.cache.directives import Directives

#: What a model samples with where a request does not say.
_USUAL_TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; its question says in `reason` why meaning alone may not decide."""

    tenant: str
    request: InferenceRequest
    question: Question
    policy: CachePolicy
    directives: Directives

    @property
    def key(self) -> tuple[str, bytes]:
        """The same for identical requests of one tenant, and for no others."""
        return self.tenant, self.question.fingerprint

    @property
    def by_meaning(self) -> bool:
        """Whether an answer to what means the same may be given."""
        return self.policy.semantic.enabled and not self.question.reason

    @property
    def may_wait(self) -> bool:
        """Whether it may be given the answer to an identical request that is under way."""
        return self.policy.exact.enabled and self.policy.coalesce and self.directives.read

    @property
    def ttl_s(self) -> float:
        """For how long its answer is kept; a caller can only shorten it."""
        policy = self.policy
        kept = [part.ttl_s for part in (policy.exact, policy.semantic) if part.enabled]
        said = self.directives.ttl_s
        return max(kept) if said is None else min(max(kept), said)

    def is_fresh(self, entry: Entry, ttl_s: float, now: float) -> bool:
        """Whether an answer is young enough, `now` being Unix time."""
        allowed = self.directives.max_age_s
        return now - entry.stored_at <= (ttl_s if allowed is None else min(ttl_s, allowed))


def narrowed(question: Question, policy: SemanticPolicy) -> Question:
    """The question, with a reason where the policy does not let meaning decide."""
    reason = question.reason or _outside(question, policy)
    return replace(question, reason=reason)


def _outside(question: Question, policy: SemanticPolicy) -> str:
    asked = question.temperature
    if (_USUAL_TEMPERATURE if asked is None else asked) > policy.max_temperature:
        return Bypass.TEMPERATURE
    prompt = question.prompt.strip()
    length = len(prompt)
    if length < policy.min_prompt_chars and _letters(prompt) < policy.min_prompt_chars:
        return Bypass.TOO_SHORT
    return Bypass.TOO_LONG if length > policy.max_prompt_chars else ""


def _letters(prompt: str) -> int:
    """As many letters as say the same: one of Chinese, Japanese or Korean says as much as two."""
    return len(prompt) + sum(east_asian_width(each) in {"W", "F"} for each in prompt)
