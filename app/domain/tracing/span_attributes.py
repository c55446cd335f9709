"""What spans say of a request and of its attempts; what is unknown is left out.

None of it is text that a caller or a model wrote, but where their tenant asked for it: models are
configured names or the upstream's, codes of errors are cut to a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.call.request import Operation
from app.domain.ledger.completion import Receipt
from app.domain.ledger.error_type import error_type
from app.domain.quota.limit import NANO
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.tracing import attribute_names as names
from app.domain.tracing.said import Said
from app.domain.tracing.spans import Attribute, Attributes

#: Of an upstream's own code.
_MOST_CODE: Final = 64
_AZURE: Final = "azure.ai.openai"
_REFUSED: Final = 400
#: Who was given up because another one answered first has done nothing wrong.
_WELL: Final = frozenset({Verdict.ACCEPT, Verdict.HEDGED})

_Found = dict[str, Attribute | None]

#: `gen_ai.operation.name` has a value for these alone.
_OPERATIONS: Final[Mapping[Operation, str]] = {
    Operation.CHAT_COMPLETIONS: "chat",
    Operation.COMPLETIONS: "text_completion",
    Operation.EMBEDDINGS: "embeddings",
    Operation.RESPONSES: "chat",
}
_API_TYPES: Final[Mapping[Operation, str]] = {
    Operation.CHAT_COMPLETIONS: "chat_completions",
    Operation.RESPONSES: "responses",
}
#: Method and path by which each operation is known, whichever URL shape it came on.
_ROUTES: Final[Mapping[Operation, tuple[str, str]]] = {
    Operation.CHAT_COMPLETIONS: ("POST", "/v1/chat/completions"),
    Operation.COMPLETIONS: ("POST", "/v1/completions"),
    Operation.EMBEDDINGS: ("POST", "/v1/embeddings"),
    Operation.RESPONSES: ("POST", "/v1/responses"),
    Operation.RETRIEVE_RESPONSE: ("GET", "/v1/responses/{response_id}"),
    Operation.DELETE_RESPONSE: ("DELETE", "/v1/responses/{response_id}"),
    Operation.CANCEL_RESPONSE: ("POST", "/v1/responses/{response_id}/cancel"),
    Operation.LIST_INPUT_ITEMS: ("GET", "/v1/responses/{response_id}/input_items"),
    Operation.LIST_MODELS: ("GET", "/v1/models"),
    Operation.RETRIEVE_MODEL: ("GET", "/v1/models/{model}"),
    Operation.OWN_ACCOUNT: ("GET", "/v1/spillgate/me"),
}


@dataclass(frozen=True, slots=True)
class Server:
    """Who a deployment is; `model` is the base model, `provider` None where it is unknown."""

    address: str
    port: int
    model: str
    provider: str = _AZURE
    region: str = ""


def request_name(receipt: Receipt) -> str:
    """`chat gpt-4o`; method and route where no model is at work."""
    if receipt.operation is None:
        return "request"
    operation = _OPERATIONS.get(receipt.operation)
    if operation is None:
        return " ".join(_ROUTES[receipt.operation])
    return f"{operation} {receipt.model}" if receipt.model else operation


def request_attributes(receipt: Receipt, servers: Mapping[str, Server]) -> Attributes:
    """Of the request's own span."""
    return _known(
        {
            **_call(receipt, servers),
            **_accounted(receipt),
            **_routed(receipt),
            **_cached(receipt),
            **error_attributes(receipt),
        }
    )


def attempt_attributes(
    receipt: Receipt, attempt: Attempt, servers: Mapping[str, Server]
) -> Attributes:
    """Of the span of one attempt, which receipts list."""
    server = servers.get(attempt.deployment)
    accepted = attempt.verdict is Verdict.ACCEPT
    first_chunk = attempt.ended - attempt.started if accepted and receipt.stream else None
    found: _Found = {
        # No method: Azure Monitor would take it for any HTTP call, whatever else is said of it.
        names.STATUS: attempt.status,
        names.ERROR_TYPE: error_of(attempt),
        names.FIRST_CHUNK_S: first_chunk,
        names.DEPLOYMENT: attempt.deployment,
        names.PEER: attempt.deployment,
        names.DEPLOYMENT_KIND: attempt.kind,
        names.TIER: attempt.tier,
        names.VERDICT: attempt.verdict,
        names.THROTTLE: attempt.throttle,
        names.RETRY_AFTER_S: attempt.retry_after_s,
        names.REPORTED: attempt.utilization,
        names.UPSTREAM_REQUEST_ID: _short(attempt.upstream_request_id),
        names.UPSTREAM_CODE: _short(attempt.code),
        names.NATIVE_SPILLOVER: _short(attempt.native_spillover_from),
    }
    return _known(found | _served_by(server))


def error_attributes(receipt: Receipt) -> Attributes:
    """Which error it is to metrics and the log, and its code; nothing where all went well."""
    return _known({names.ERROR_TYPE: error_type(receipt), names.ERROR_CODE: _short(receipt.error)})


def said_attributes(said: Said) -> Attributes:
    """What the answer says about itself; its text only where the tenant asked for it."""
    facts, content = said.facts, said.content
    found: _Found = {
        names.RESPONSE_ID: facts.id or None,
        names.RESPONSE_MODEL: facts.model or None,
        names.FINISH_REASONS: facts.finish_reasons or None,
    }
    if content is not None:
        found[names.INPUT_MESSAGES] = content.input or None
        found[names.OUTPUT_MESSAGES] = content.output or None
    return _known(found)


def _call(receipt: Receipt, servers: Mapping[str, Server]) -> _Found:
    operation = receipt.operation
    method, route = _ROUTES[operation] if operation else (None, None)
    name = _OPERATIONS.get(operation) if operation else None
    found: _Found = {
        names.METHOD: None if receipt.errand else method,
        names.ROUTE: None if receipt.errand else route,
        names.STATUS: receipt.status,
        names.OPERATION: name,
        names.REQUEST_MODEL: receipt.model,
    }
    if name is None:
        return found
    served = servers.get(receipt.deployment or "")
    return found | {
        names.PROVIDER: served.provider if served else _AZURE,
        names.API_TYPE: _API_TYPES.get(operation) if operation else None,
        names.REQUEST_STREAM: receipt.stream,
        names.REQUEST_MAX_TOKENS: receipt.output_cap,
        names.REQUEST_CHOICES: receipt.choices if receipt.choices > 1 else None,
        names.FIRST_CHUNK_S: receipt.time_to_first_token if receipt.stream else None,
    }


def _accounted(receipt: Receipt) -> _Found:
    found: _Found = {
        names.REQUEST_ID: receipt.request_id,
        names.TENANT: receipt.tenant,
        names.KEY_ID: receipt.key_id,
        names.OUTCOME: receipt.outcome,
        names.LIMIT: receipt.limit,
        names.FLAGS: receipt.flags or None,
        names.POLICIES: tuple(each.text for each in receipt.findings) or None,
        names.ERRAND: receipt.errand,
    }
    reservation = receipt.reservation
    if reservation is None:
        return found
    amounts, usage = reservation.ask.amounts, receipt.usage or Usage()
    return found | {
        names.INPUT_TOKENS: usage.input,
        names.CACHED_TOKENS: usage.cached,
        names.OUTPUT_TOKENS: usage.output,
        names.REASONING_TOKENS: usage.reasoning,
        names.COST: receipt.nano_usd / NANO,
        names.USAGE_COST: receipt.nano_usd / NANO,
        names.RESERVED_TOKENS: amounts.tokens,
        names.RESERVED_COST: amounts.nano_usd / NANO,
        names.DEGRADED: reservation.degraded,
    }


def _routed(receipt: Receipt) -> _Found:
    plan = receipt.plan
    if plan is None:
        return {}
    predicted = {each.deployment: each.utilization for each in plan.candidates}
    absences = (*plan.absences, *receipt.skipped)
    return {
        names.DEPLOYMENT: receipt.deployment,
        names.DEPLOYMENT_KIND: receipt.deployment_kind,
        names.SPILL: receipt.spill,
        names.CLASS: plan.load.claim.request_class.name.lower() if plan.load else None,
        names.ATTEMPTS: tuple(f"{each.deployment} {each.verdict}" for each in receipt.attempts),
        names.SKIPPED: tuple(f"{each.deployment} {each.reason}" for each in absences) or None,
        names.LAST_RESORT: plan.last_resort or None,
        names.WAITED_S: plan.waited_s,
        names.PREDICTED: predicted.get(receipt.deployment or ""),
    }


def _cached(receipt: Receipt) -> _Found:
    cache = receipt.cache
    return {
        names.CACHE: cache.result,
        names.CACHE_REASON: cache.reason or None,
        names.CACHE_SOURCE: cache.source,
        names.CACHE_DISTANCE: cache.distance,
        names.CACHE_SAVED: cache.saved_nano_usd / NANO if cache.is_hit else None,
    }


def _served_by(server: Server | None) -> _Found:
    if server is None:
        return {}
    return {
        names.PROVIDER: server.provider,
        names.REQUEST_MODEL: server.model,
        names.ADDRESS: server.address,
        names.PORT: server.port,
        names.REGION: server.region or None,
    }


def error_of(attempt: Attempt) -> str | None:
    """The status that says so, else the code; a throttle may come inside a 200."""
    if attempt.status is not None and attempt.status >= _REFUSED:
        return str(attempt.status)
    return None if attempt.verdict in _WELL else _short(attempt.code) or "failed"


def _short(text: str | None) -> str | None:
    return text[:_MOST_CODE] if text else None


def _known(found: _Found) -> Attributes:
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Attribute) -> Attribute:
    return str(value) if isinstance(value, str) else value
