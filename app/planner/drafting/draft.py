"""A commented config, as text, of the deployments that were found."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Final
from urllib.parse import urlsplit

import yaml

from app.planner.drafting.found import Found

_HEADER: Final = """\
# A first config, made by `spillgate init`. Look through it, then:
#   spillgate check --config FILE --probe       each mistake; and each deployment is asked, free
#   spillgate serve --config FILE --simulate    try it without calling Azure
#   spillgate serve --config FILE
#
# ${NAME} is an environment variable. Needed here: """
_LISTEN: Final = """\
listen:
  host: 127.0.0.1          # 0.0.0.0: from other machines, too
  port: 8080               # applications: base URL http://HOST:8080/v1
  admin_port: 8081         # admin API and /metrics: keep them private

# Where limits, budgets and cached answers are. Left out, a server is started beside the gateway,
# which is for one machine.
# redis: {url: "${REDIS_URL}"}

admin:
  key: "${SPILLGATE_ADMIN_KEY}"    # the owner's; `spillgate key new` makes one
"""
_TENANTS: Final = """\
tenants:
  first-team:
    keys: ["${FIRST_TEAM_KEY}"]    # `spillgate key new`; the application's OPENAI_API_KEY
    # limits: {tpm: 200000, usd_per_day: 50}
    # spill: deny                  # never leave the first tier; or {usd_per_day: 20}
    # data_zones: [eu]             # never leave it
"""
_NOT_IN_NAMES: Final = re.compile("[^A-Za-z0-9._-]+")
_PLAIN: Final = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Draft:
    """The text, and the environment variables that it needs."""

    text: str
    variables: tuple[str, ...]


def draft(found: Iterable[Found], *, key_variable: str | None) -> Draft:
    """A config of all that can be served, PTUs first; what cannot is said in a comment.

    Deployments show the key in `key_variable`, or a token of Entra ID where that is None or their
    resource takes no keys. Names are told apart where two deployments share one.
    """
    everything = list(found)
    usable = [each for each in everything if not each.note]
    used = _named_apart(sorted(usable, key=lambda each: each.kind != "ptu"))
    left = [each for each in everything if each.note]
    variables = ("SPILLGATE_ADMIN_KEY", "FIRST_TEAM_KEY", *_key_of(used, key_variable))
    parts = (
        _HEADER + ", ".join(variables) + ".\n",
        _LISTEN,
        "deployments:\n" + "\n".join(_deployment(*each, key_variable) for each in used),
        *([_left_out(left)] if left else []),
        "models:\n" + "".join(_models(used)),
        _TENANTS,
    )
    return Draft("\n".join(parts), variables)


def _key_of(used: Sequence[tuple[str, Found]], variable: str | None) -> tuple[str, ...]:
    with_key = variable is not None and any(not each.keyless for _, each in used)
    return (variable,) if with_key and variable is not None else ()


def _deployment(name: str, found: Found, key_variable: str | None) -> str:
    lines = [f"  {_scalar(name)}:"]
    lines += [f"    {line}" for line in _fields(name, found)]
    if key_variable is None or found.keyless:
        lines.append("    auth: {entra: {}}    # managed identity, workload identity or `az login`")
    else:
        lines.append(f'    auth: {{api_key: "${{{key_variable}}}"}}')
    return "\n".join(lines) + "\n"


def _fields(name: str, found: Found) -> Iterator[str]:
    if found.kind is None:
        yield "kind: paygo    # ptu, with `ptus: N`, if it is provisioned"
    else:
        yield f"kind: {found.kind}"
    yield f"endpoint: {_scalar(found.endpoint)}"
    if found.name != name:
        yield f"deployment: {_scalar(found.name)}    # its name in Azure"
    yield f"model: {_scalar(found.model)}"
    for field in ("ptus", "tpm", "rpm"):
        if (value := getattr(found, field)) is not None:
            yield f"{field}: {value}"
    for field in ("region", "data_zone"):
        if value := getattr(found, field):
            yield f"{field}: {_scalar(value)}"


def _left_out(left: Iterable[Found]) -> str:
    reasons = (_one_line(f"{each.name} at {each.endpoint}: {each.note}") for each in left)
    return "".join(f"# Not here: {reason}\n" for reason in reasons)


def _models(used: Sequence[tuple[str, Found]]) -> Iterator[str]:
    """By base model the name that applications ask for; PTUs are the first tier."""
    aliases: set[str] = set()
    for model in dict.fromkeys(found.model for _, found in used):
        aliases.add(alias := _free(aliases, _plain(model)))
        of_model = [(name, found) for name, found in used if found.model == model]
        kinds = ([n for n, f in of_model if (f.kind == "ptu") is first] for first in (True, False))
        tiers = ", ".join(f"[{', '.join(map(_scalar, tier))}]" for tier in kinds if tier)
        yield f"  {_scalar(alias)}: {{tiers: [{tiers}]}}\n"


def _named_apart(found: Iterable[Found]) -> list[tuple[str, Found]]:
    """Each with a name of its own: the deployment's, with its resource's where it is taken."""
    taken: dict[str, Found] = {}
    for each in found:
        resource = (urlsplit(each.endpoint).hostname or "").split(".")[0]
        taken[_free(taken, _plain(each.name), _plain(f"{each.name}-{resource}"))] = each
    return list(taken.items())


def _free(taken: Container[str], *names: str) -> str:
    """The first that is not taken; else the last with a number."""
    numbered = (f"{names[-1]}-{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in taken)


def _plain(name: str) -> str:
    """A name that a config takes, with room for a number behind it."""
    return _NOT_IN_NAMES.sub("-", name).strip("-._")[:56] or "deployment"


def _scalar(value: str) -> str:
    """A string as YAML, quoted where it must be."""
    plain = _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    quoted = yaml.safe_dump(value, default_style='"', width=math.inf)
    return value if plain else str(quoted).rstrip()


def _one_line(value: str) -> str:
    return " ".join(value.split())
