"""Whether two prompts ask for the same, by what they say: the guards of the semantic cache."""

from app.domain.cache.guards.agreement import Disagreement, agree

__all__ = ["Disagreement", "agree"]
