"""Which deployments take the parameters that a request sets; none is dropped on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from app.domain.routing.deployment import Deployment
from app.domain.routing.route import Choices
from app.errors import UnsupportedParameter

_TOP_LEVEL: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL: Final = b"null"


def parameters_set(body: bytes, asked: Collection[str]) -> tuple[str, ...]:
    """Those of the asked-for parameters that a body sets, in its order.

    Null sets nothing: APIs take it for the default. What is no JSON object sets nothing either.
    """
    try:
        fields = _TOP_LEVEL.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    return tuple(name for name, value in fields.items() if name in asked and bytes(value) != _NULL)


def taking(choices: Choices, deployments: Mapping[str, Deployment], body: bytes) -> Choices:
    """The choices without those that do not take a parameter of the body.

    The body is looked at only where a deployment refuses something. Raises UnsupportedParameter
    where nobody is left.
    """
    refused = {
        name: deployments[name].refuses for name in choices.deployments if deployments[name].refuses
    }
    if not refused:
        return choices
    given = parameters_set(body, frozenset().union(*refused.values()))
    unfit = {name for name, refuses in refused.items() if not refuses.isdisjoint(given)}
    if not unfit:
        return choices
    if len(unfit) == len(choices.deployments):
        raise _unsupported(given, list(refused.values()))
    return choices.only(lambda _tier, target: target.deployment not in unfit)


def _unsupported(given: Collection[str], refused: Collection[frozenset[str]]) -> Exception:
    """Named is what all of them refuse, else the first that one of them does."""
    by_all = [name for name in given if all(name in refuses for refuses in refused)]
    name = (by_all or list(given))[0]
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return UnsupportedParameter(message, param=name)
