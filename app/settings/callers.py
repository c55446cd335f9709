"""Sections about callers that show an Entra ID token instead of a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from app.settings.endpoint import endpoint_fault
from app.settings.fault import Fault, Path, dotted
from app.settings.section import Section, Text

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NO_GUID: Final = "must be an id such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
_KINDS: Final = ("applications", "objects", "groups")
_LOGIN: Final = "https://login.microsoftonline.com"


def guid_of(value: str) -> str | None:
    """An id of the directory in lower case; None for other text."""
    return value.lower() if _GUID.fullmatch(value.lower()) else None


def _guid(value: str) -> str:
    guid = guid_of(value)
    if guid is None:
        raise ValueError(NO_GUID)
    return guid


def _callable(value: str) -> str:
    if fault := endpoint_fault(value):
        raise ValueError(fault)
    return value


Guid = Annotated[Text, AfterValidator(_guid)]


class TenantCallers(Section):
    """Whose tokens are a tenant's: ids in the directory, each of one tenant only."""

    applications: tuple[Guid, ...] = ()
    """Application (client) ids, the token's `appid` or `azp`."""
    objects: tuple[Guid, ...] = ()
    """Object ids of users, service principals and managed identities, the token's `oid`."""
    groups: tuple[Guid, ...] = ()
    """Object ids of groups, the token's `groups`."""


class EntraCallers(Section):
    """Whose tokens are believed, and for whom they must be made out."""

    directory: Guid
    """The directory's (tenant's) id."""
    audiences: Annotated[tuple[Text, ...], Field(min_length=1)]
    """What `aud` may be, to the letter: an application id URI or an application id."""
    issuer: Text | None = None
    """The only issuer; by default both of the directory's, of v1 and of v2 tokens."""
    jwks_url: Annotated[Text, AfterValidator(_callable)] | None = None
    """Where the signing keys are, https or loopback; by default the directory's."""

    @property
    def issuers(self) -> tuple[str, ...]:
        """Values of `iss` that are accepted."""
        if self.issuer:
            return (self.issuer,)
        return (
            f"https://sts.windows.net/{self.directory}/",
            f"{_LOGIN}/{self.directory}/v2.0",
        )

    @property
    def keys_url(self) -> str:
        """Where the signing keys are fetched."""
        return self.jwks_url or f"{_LOGIN}/{self.directory}/discovery/v2.0/keys"


def caller_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Ids that stand in two places, and tenants' ids without a directory to ask."""
    tenants = raw.get("tenants")
    seen: dict[str, Path] = {}
    for name, tenant in tenants.items() if isinstance(tenants, Mapping) else ():
        entra = tenant.get("entra") if isinstance(tenant, Mapping) else None
        if entra is not None and raw.get("entra") is None:
            message = "needs the section entra with directory and audiences"
            yield Fault(("tenants", name, "entra"), message, at_key=True)
        yield from _repeated(("tenants", name, "entra"), entra, seen)


def _repeated(path: Path, entra: object, seen: dict[str, Path]) -> Iterator[Fault]:
    for place, guid in _ids(path, entra):
        first = seen.setdefault(guid, place)
        if first != place:
            yield Fault(place, f"is already in {dotted(first)}")


def _ids(path: Path, entra: object) -> Iterator[tuple[Path, str]]:
    given: Mapping[str, object] = entra if isinstance(entra, Mapping) else {}
    for kind in _KINDS:
        listed = given.get(kind)
        for index, item in enumerate(listed if isinstance(listed, list | tuple) else ()):
            if isinstance(item, str):
                yield (*path, kind, index), item.lower()
