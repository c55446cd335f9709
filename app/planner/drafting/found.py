"""Deployments as Azure describes them, read into what a config says of them.

Sources: Azure Resource Manager, Microsoft.CognitiveServices accounts and deployments, 2024-10-01;
deployment types page, 2026-05.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Deployment types that are no place for a request that somebody waits for.
_NOT_SERVED: Final = re.compile("Batch$")
_PROVISIONED: Final = re.compile("Provisioned")
#: Regions of the European Union and of the United States that sell Azure OpenAI; what is stored in
#: one of them, and in a data zone that it belongs to, stays in the zone.
_ZONES: Final[Mapping[str, frozenset[str]]] = {
    "eu": frozenset(
        {
            "austriaeast",
            "francecentral",
            "germanywestcentral",
            "italynorth",
            "northeurope",
            "polandcentral",
            "spaincentral",
            "swedencentral",
            "westeurope",
        }
    ),
    "us": frozenset(
        {
            "centralus",
            "eastus",
            "eastus2",
            "northcentralus",
            "southcentralus",
            "westcentralus",
            "westus",
            "westus2",
            "westus3",
        }
    ),
}


class NotTold(Exception):
    """Azure would not say which deployments there are; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Found:
    """One deployment; `note` is why a config does not have it, empty where it does.

    `kind` None: nobody told, and it is drafted as pay-as-you-go with a remark. `ptus` are PTUs,
    `tpm` and `rpm` a quota per minute.
    """

    endpoint: str
    name: str
    model: str
    kind: str | None = None  # ptu | paygo
    ptus: int | None = None
    tpm: int | None = None
    rpm: int | None = None
    region: str = ""
    data_zone: str = ""
    keyless: bool = False  # the resource takes no keys
    note: str = ""


def found_in(account: Mapping[str, Any], deployment: Mapping[str, Any]) -> Found:
    """What a config says of one deployment of an account, both as Resource Manager has them."""
    properties, sku = _map(deployment.get("properties")), _map(deployment.get("sku"))
    model, kind = _map(properties.get("model")), str(sku.get("name", ""))
    of_account, location = _map(account.get("properties")), str(account.get("location", ""))
    region = location.replace(" ", "").lower()
    provisioned = bool(_PROVISIONED.search(kind))
    is_global = kind.startswith(("Global", "Developer"))
    return Found(
        endpoint=_endpoint(of_account),
        name=str(deployment.get("name", "")),
        model=str(model.get("name", "")),
        kind="ptu" if provisioned else "paygo",
        ptus=_count(sku.get("capacity")) if provisioned else None,
        tpm=None if provisioned else _per_minute(properties, "token"),
        rpm=None if provisioned else _per_minute(properties, "request"),
        region=region,
        data_zone="" if is_global else zone_of(region),
        keyless=of_account.get("disableLocalAuth") is True,
        note=_note(kind, model, properties),
    )


def zone_of(region: str) -> str:
    """The data zone of a region: eu, us, or empty for others."""
    return next((zone for zone, regions in _ZONES.items() if region in regions), "")


def named(endpoint: str, text: str) -> Found:
    """`NAME[=MODEL][,ptu=N][,tpm=N][,rpm=N]`, as somebody types it. Raises ValueError."""
    first, *sizes = (part.strip() for part in text.split(","))
    name, _, model = first.partition("=")
    numbers = dict(_size(text, each) for each in sizes)
    if not name:
        raise ValueError(f"{text!r} names no deployment")
    ptus = numbers.get("ptu")
    kind = "paygo" if ptus is None else "ptu"
    return Found(endpoint, name, model or name, kind, ptus, numbers.get("tpm"), numbers.get("rpm"))


def _size(text: str, part: str) -> tuple[str, int]:
    name, _, number = part.partition("=")
    if name not in {"ptu", "tpm", "rpm"} or not number.isdecimal() or int(number) < 1:
        raise ValueError(f"{text!r}: {part!r} is none of ptu=N, tpm=N and rpm=N")
    return name, int(number)


def _note(kind: str, model: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    made_by, state = model.get("format", "OpenAI"), properties.get("provisioningState", "Succeeded")
    if _NOT_SERVED.search(kind):
        return f"its type is {kind}: batches are not served"
    if made_by != "OpenAI":
        return f"its model is of {made_by}: other APIs than OpenAI's may be needed"
    if state != "Succeeded":
        return f"it is {state}"
    return ""


def _endpoint(properties: Mapping[str, Any]) -> str:
    """The one that serves OpenAI's API; resources of Foundry have several."""
    several = _map(properties.get("endpoints"))
    openai = several.get("OpenAI Language Model Instance API")
    return str(openai or properties.get("endpoint", "")).rstrip("/")


def _per_minute(properties: Mapping[str, Any], key: str) -> int | None:
    """A rate limit brought to a minute; limits of requests may be told for ten seconds."""
    for limit in properties.get("rateLimits") or ():
        count, seconds = _map(limit).get("count"), _map(limit).get("renewalPeriod")
        if _map(limit).get("key") == key and count and seconds:
            return int(count * 60 / seconds)
    return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
