"""Every attribute of the gateway's spans; traces, documents and back ends go by these names.

Those without `spillgate.` are OpenTelemetry's semantic conventions, version 1.41.1, the last one
before those for generative AI moved to a repository of their own, whose names are still changing.
"""

from __future__ import annotations

from typing import Final

#: Generative AI.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
SYSTEM: Final = "gen_ai.system"  # deprecated, and still what Azure Monitor goes by: sent on request
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK_S: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"  # only of tenants that asked for it
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"  # the same
API_TYPE: Final = "openai.api.type"

#: No convention; OpenLIT's name, by which Langfuse shows what a call cost. US dollars.
USAGE_COST: Final = "gen_ai.usage.cost"
#: MLflow's own: an object in JSON. It would multiply tokens by list prices otherwise.
MLFLOW_COST: Final = "mlflow.llm.cost"  # sent to MLflow alone

#: HTTP, and whom it is spoken with.
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS: Final = "http.response.status_code"
ADDRESS: Final = "server.address"
PORT: Final = "server.port"
REGION: Final = "cloud.region"
ERROR_TYPE: Final = "error.type"  # of a request one of ErrorType; of an attempt the upstream's own
PEER: Final = "peer.service"  # what maps of services, Azure Monitor's and Tempo's, draw a node for

#: The request, as the ledger and `spillgate explain` name it.
REQUEST_ID: Final = "spillgate.request_id"
TENANT: Final = "spillgate.tenant"
KEY_ID: Final = "spillgate.key_id"
CLASS: Final = "spillgate.class"
OUTCOME: Final = "spillgate.outcome"
ERROR_CODE: Final = "spillgate.error_code"
SPILL: Final = "spillgate.spill"
COST: Final = "spillgate.cost.usd"
RESERVED_TOKENS: Final = "spillgate.reserved.tokens"
RESERVED_COST: Final = "spillgate.reserved.usd"
LIMIT: Final = "spillgate.limit"
DEGRADED: Final = "spillgate.degraded"
FLAGS: Final = "spillgate.flags"
POLICIES: Final = "spillgate.policies"
CACHE: Final = "spillgate.cache"
CACHE_REASON: Final = "spillgate.cache.reason"
CACHE_SOURCE: Final = "spillgate.cache.source"
CACHE_DISTANCE: Final = "spillgate.cache.distance"
CACHE_SAVED: Final = "spillgate.cache.saved.usd"
ATTEMPTS: Final = "spillgate.attempts"
SKIPPED: Final = "spillgate.skipped"
LAST_RESORT: Final = "spillgate.last_resort"
WAITED_S: Final = "spillgate.waited_s"
ERRAND: Final = "spillgate.errand"

#: A deployment, and one attempt at it.
DEPLOYMENT: Final = "spillgate.deployment"
DEPLOYMENT_KIND: Final = "spillgate.deployment.kind"
TIER: Final = "spillgate.tier"
VERDICT: Final = "spillgate.verdict"
THROTTLE: Final = "spillgate.throttle"
RETRY_AFTER_S: Final = "spillgate.retry_after_s"
PREDICTED: Final = "spillgate.utilization.predicted"
REPORTED: Final = "spillgate.utilization.reported"
UPSTREAM_REQUEST_ID: Final = "spillgate.upstream.request_id"
UPSTREAM_CODE: Final = "spillgate.upstream.error_code"
NATIVE_SPILLOVER: Final = "spillgate.upstream.spilled_from"

#: All of them.
NAMES: Final[frozenset[str]] = frozenset(
    value for name, value in tuple(globals().items()) if name.isupper()
)
