"""Rules between fields and sections, checked on raw values.

They run whatever else is wrong, so each passes over what is missing or has the wrong type: the
model reports that. This is what makes every mistake come out in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from app.settings.billing_rules import billing_faults
from app.settings.callers import caller_faults
from app.settings.fault import Fault, Path
from app.settings.pricing_rules import price_faults
from app.settings.references import reference_faults, seed_key_faults

Raw = Mapping[str, Any]

_DATED_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_V1_VERSIONS: Final = frozenset({"v1", "preview"})


def rule_faults(raw: Raw) -> Iterator[Fault]:
    """Everything wrong between the fields of `raw`, which may be any YAML."""
    for section in ("deployments", "models", "tenants"):
        for name, entry in mapping(raw.get(section)).items():
            if "name" in mapping(entry):
                yield Fault((section, name, "name"), "unknown key", at_key=True)
    for name, entry in mapping(raw.get("deployments")).items():
        yield from _deployment_faults(("deployments", name), mapping(entry))
    yield from _listener_faults(mapping(raw.get("listen")))
    yield from _place_faults(mapping(raw.get("tenants")))
    yield from reference_faults(raw)
    yield from _safety_faults(raw)
    yield from seed_key_faults(mapping(raw.get("tenants")))
    yield from caller_faults(raw)
    yield from price_faults(raw)
    yield from billing_faults(raw)


def mapping(value: object) -> Raw:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _given(entry: Raw, key: str) -> bool:
    return entry.get(key) is not None


def _deployment_faults(path: Path, entry: Raw) -> Iterator[Fault]:
    yield from _capacity_faults(path, entry)
    yield from _version_faults(path, entry)
    yield from _endpoint_faults(path, entry)
    yield from _auth_faults((*path, "auth"), entry)


def _capacity_faults(path: Path, entry: Raw) -> Iterator[Fault]:
    kind = entry.get("kind")
    if kind == "ptu" and not _given(entry, "ptus"):
        yield Fault((*path, "ptus"), "is missing: kind ptu needs it")
    forbidden = {"ptu": ("tpm", "rpm"), "paygo": ("ptus",)}
    for key in forbidden.get(kind, ()) if isinstance(kind, str) else ():
        if _given(entry, key):
            yield Fault((*path, key), f"does not belong to kind {kind}", at_key=True)


def _version_faults(path: Path, entry: Raw) -> Iterator[Fault]:
    api, version = entry.get("api", "v1"), entry.get("api_version")
    here = (*path, "api_version")
    if api == "classic" and version is None:
        yield Fault(here, "is missing: api classic needs it")
    if not isinstance(version, str):
        return
    if api == "classic" and not _DATED_VERSION.fullmatch(version):
        yield Fault(here, "must look like 2024-10-21 or 2025-04-01-preview")
    if api == "v1" and version not in _V1_VERSIONS:
        yield Fault(here, "must be v1 or preview with api v1; dated versions need api classic")
    if api == "openai":
        yield Fault(here, "does not belong to api openai", at_key=True)


def _endpoint_faults(path: Path, entry: Raw) -> Iterator[Fault]:
    api, endpoint = entry.get("api", "v1"), entry.get("endpoint")
    if not isinstance(endpoint, str):
        return
    try:
        segments = urlsplit(endpoint).path.strip("/").split("/")
    except ValueError:
        return
    if api in ("classic", "v1") and "openai" in segments:
        yield Fault((*path, "endpoint"), f"must end before /openai: api {api} adds it")
    if api == "openai" and segments == [""]:
        yield Fault((*path, "endpoint"), "must include the server's /v1 with api openai")


def _auth_faults(path: Path, entry: Raw) -> Iterator[Fault]:
    auth = entry.get("auth")
    if not isinstance(auth, Mapping):
        return
    # An empty `entra:` means its defaults, so being there counts, not having a value.
    if "entra" in auth and _given(auth, "api_key"):
        yield Fault(path, "must have entra or api_key, not both")
    if "entra" not in auth and not _given(auth, "api_key"):
        yield Fault(path, "must have entra or api_key")
    entra = auth["entra"] or {} if "entra" in auth else None
    if entry.get("api") == "openai" and isinstance(entra, Mapping) and not entra.get("scope"):
        yield Fault((*path, "entra", "scope"), "is missing: api openai has no scope of its own")


def _listener_faults(listen: Raw) -> Iterator[Fault]:
    data = (listen.get("host", "127.0.0.1"), str(listen.get("port", 8080)))
    admin = (listen.get("admin_host", "127.0.0.1"), str(listen.get("admin_port", 8081)))
    if data == admin and data[1] != "0":
        key = "admin_port" if _given(listen, "admin_port") else "port"
        yield Fault(("listen", key), "is the same address for the data plane and the admin API")


def _safety_faults(raw: Raw) -> Iterator[Fault]:
    """A policy that has texts checked nowhere would find nothing, or refuse everything."""
    if _given(raw, "content_safety"):
        return
    tenants = mapping(raw.get("tenants")).items()
    places = [((), raw), *((("tenants", name), mapping(entry)) for name, entry in tenants)]
    for path, entry in places:
        said = mapping(mapping(entry.get("policy")).get("content_safety"))
        if said and said.get("enabled") is not False:
            message = "needs the section content_safety, which says where texts are checked"
            yield Fault((*path, "policy", "content_safety"), message, at_key=True)


def _place_faults(tenants: Raw) -> Iterator[Fault]:
    """A list that was left empty would let everywhere in what was to be kept somewhere."""
    for name, entry in tenants.items():
        for key in ("data_zones", "regions"):
            if key in mapping(entry) and entry[key] is None:
                path = ("tenants", name, key)
                yield Fault(path, "is empty; leave it out for any", at_key=True)
