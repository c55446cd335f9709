"""Who an Entra ID access token speaks for: from its verified claims to a tenant.

Claims: access token claims reference, Microsoft identity platform, 2025-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from app.domain.identity.tenant import Principal, Tenant

#: How far the issuer's clock and ours may be apart. Seconds.
LEEWAY_S: Final = 60.0

Claims = Mapping[str, object]


class Refusal(StrEnum):
    """Why a token that the directory did sign is not let in."""

    TIMES = "exp or nbf is missing or no number"
    EXPIRED = "it has expired"
    NOT_YET_VALID = "it is not valid yet"
    DIRECTORY = "its tid is another directory"
    NO_APPLICATION = "it names no application, so it is no access token"
    UNKNOWN = "no tenant has its application, object or groups"
    AMBIGUOUS = "its ids belong to several tenants"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """From when until when a token is good, as Unix time, the leeway included."""

    begins: float
    ends: float

    @classmethod
    def of(cls, claims: Claims) -> Self | None:
        """None unless `exp` is a number, and `nbf` too where it is there."""
        expires, begins = _seconds(claims.get("exp")), _seconds(claims.get("nbf", 0))
        if expires is None or begins is None:
            return None
        return cls(begins - LEEWAY_S, expires + LEEWAY_S)

    def refusal(self, now: float) -> Refusal | None:
        """Why the token is not good at Unix time `now`."""
        if now >= self.ends:
            return Refusal.EXPIRED
        return Refusal.NOT_YET_VALID if now < self.begins else None


@dataclass(frozen=True, slots=True)
class Caller:
    """The ids in one token, in lower case; v1 tokens say `appid`, v2 tokens `azp`."""

    application: str
    object_id: str | None
    groups: frozenset[str]

    @classmethod
    def of(cls, claims: Claims) -> Self | None:
        """None without an application, which every access token names and no ID token does."""
        applications = {_id(claims[name]) for name in ("appid", "azp") if name in claims}
        if len(applications) != 1:
            return None
        application = applications.pop()
        return cls(application, _id(claims.get("oid")), _ids(claims)) if application else None


@dataclass(frozen=True, slots=True)
class CallerRules:
    """Tenants by the ids that the directory gives them; keys in lower case.

    The most specific kind decides: an object is one identity, an application may be used by many,
    a group holds many. Within a kind all must agree.
    """

    objects: Mapping[str, Tenant]
    applications: Mapping[str, Tenant]
    groups: Mapping[str, Tenant]

    def principal(self, caller: Caller) -> Principal | Refusal:
        """The caller as a principal, its key id `entra:` and the identity that is accounted for.

        That is the object, and the application where the application was what decided.
        """
        person = caller.object_id or caller.application
        if tenant := self.objects.get(caller.object_id or ""):
            return Principal(tenant, f"entra:{person}")
        if tenant := self.applications.get(caller.application):
            return Principal(tenant, f"entra:{caller.application}")
        found = [self.groups[group] for group in caller.groups if group in self.groups]
        if not found:
            return Refusal.UNKNOWN
        if any(tenant.name != found[0].name for tenant in found):
            return Refusal.AMBIGUOUS
        return Principal(found[0], f"entra:{person}")


def looks_like_token(text: str) -> bool:
    """Whether `text` has a JWT's form: three parts, the first a JSON object in base64."""
    return text.startswith("eyJ") and text.count(".") == 2  # noqa: PLR2004  # three parts


def _seconds(value: object) -> float | None:
    """Whole seconds or a fraction; True is no number here, and NaN would be before nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LAST_TIME else None


#: Year 9999 as Unix time: no token means more, and no integer below it overflows a float.
_LAST_TIME: Final = 253_402_300_800


def _id(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and value else None


def _ids(claims: Claims) -> frozenset[str]:
    """The groups; none where there are too many for a token, which says so in another claim."""
    groups = claims.get("groups")
    found = (_id(group) for group in groups) if isinstance(groups, list) else ()
    return frozenset(group for group in found if group)
