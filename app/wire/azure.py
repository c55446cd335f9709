"""Azure OpenAI's URLs, and what its refusals say: codes, and when to come back.

Sources: Azure's API version lifecycle (2026-03), quota (2026-09) and provisioned throughput
(2026-02) pages, and recorded answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from app.domain.call.request import STORED_RESPONSE, InferenceRequest, Operation
from app.domain.routing.deployment import Api, Deployment

#: No wait is taken for longer than this. Azure has answered "retry after 86400 seconds" to a
#: per-minute limit; five minutes is as long as Envoy keeps an outlying host out. Seconds.
LONGEST_WAIT_S = 300.0

_IN_A_DEPLOYMENT = {
    Operation.CHAT_COMPLETIONS: "chat/completions",
    Operation.COMPLETIONS: "completions",
    Operation.EMBEDDINGS: "embeddings",
}
_AFTER_ID = {Operation.CANCEL_RESPONSE: "/cancel", Operation.LIST_INPUT_ITEMS: "/input_items"}
_RETRY_AFTER_TEXT = re.compile(rb"retry after (\d{1,9}) (milli)?seconds?", re.IGNORECASE)


class _ErrorFields(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorFields


_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)


def url_for(deployment: Deployment, request: InferenceRequest) -> str:
    """Where a deployment serves this request."""
    if deployment.api is Api.CLASSIC:
        path = _classic_path(deployment, request)
        return _with_query(path, f"api-version={deployment.api_version}", request.route.query)
    base = "" if deployment.api is Api.OPENAI else "/openai/v1"
    return _with_query(f"{deployment.endpoint}{base}/{_path(request)}", request.route.query)


def model_in_body(deployment: Deployment, request: InferenceRequest) -> str | None:
    """The name that the body must give the model; None where the URL gives it."""
    in_url = deployment.api is Api.CLASSIC and request.operation in _IN_A_DEPLOYMENT
    return None if in_url or request.operation in STORED_RESPONSE else deployment.azure_name


def error_code(body: bytes) -> str | None:
    """The code of an error body; None where the body is no OpenAI or Azure error object."""
    try:
        error = _ERROR_BODY.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return error.type if error.code is None else str(error.code)


def is_error_object(body: bytes) -> bool:
    """Whether an SDK can read this body as an error."""
    try:
        _ERROR_BODY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def retry_after_s(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """How long a refusal asks us to wait, in seconds; None where it does not say.

    `retry-after-ms` is the exact one; the message is the last resort. Header names are lower case.
    At most LONGEST_WAIT_S: what asks for more is asked again then, and may refuse again.
    """
    wait = _number(headers.get("retry-after-ms"), 0.001)
    if wait is None:
        wait = _number(headers.get("retry-after"), 1.0)
    if wait is None:
        wait = _wait_in_text(body)
    return None if wait is None else min(wait, LONGEST_WAIT_S)


def _classic_path(deployment: Deployment, request: InferenceRequest) -> str:
    operation = _IN_A_DEPLOYMENT.get(request.operation)
    if operation is None:
        return f"{deployment.endpoint}/openai/{_path(request)}"
    name = quote(deployment.azure_name, safe="")
    return f"{deployment.endpoint}/openai/deployments/{name}/{operation}"


def _path(request: InferenceRequest) -> str:
    """The path of the v1 surface, and of the classic one where it has no deployment in it."""
    if request.operation in STORED_RESPONSE:
        after = _AFTER_ID.get(request.operation, "")
        return f"responses/{request.route.response_id}{after}"
    return _IN_A_DEPLOYMENT.get(request.operation, "responses")


def _with_query(url: str, *queries: str) -> str:
    query = "&".join(part for part in queries if part)
    return f"{url}?{query}" if query else url


def _number(text: str | None, unit_s: float) -> float | None:
    """A count of units as seconds; dates, negatives and junk count as not said."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value * unit_s if 0 <= value < float("inf") else None


def _wait_in_text(body: bytes) -> float | None:
    found = _RETRY_AFTER_TEXT.search(body)
    if found is None:
        return None
    return int(found[1]) * (0.001 if found[2] else 1.0)
