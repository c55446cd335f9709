"""What a deployment says when it does not answer: statuses and bodies, as the services word them.

Bodies are those seen on the wire of Azure OpenAI and OpenAI up to 2026-11. The body of a PTU's 429
is not on record; here it is that of a standard deployment in its older wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

Json = dict[str, Any]

_NOT_FOUND_HERE: Final = (
    "The API deployment for this resource does not exist. If you created the deployment within "
    "the last 5 minutes, please wait a moment and try again."
)
_BAD_KEY: Final = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key for an active subscription and use a correct regional API endpoint for your "
    "resource."
)
_BAD_JSON: Final = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON.)"
)
_FILTERED: Final = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry. To learn more about our content filtering "
    "policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
)
_LIMITED: Final = "Rate limit is exceeded. Try again later."
_UNAVAILABLE: Final = (
    "The service is temporarily unable to process your request. Please try again later."
)
_FAULTY: Final = "The server had an error while processing your request. Sorry about that!"


class Refusal(Exception):
    """An answer that is not one: `status`, the JSON `body` and headers beyond the usual ones."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> Refusal:
    """400 in OpenAI's shape, which Azure passes on from the model's front end."""
    return Refusal(400, _openai_error(message, "invalid_request_error", param=param, code=code))


def bad_json() -> Refusal:
    return invalid(_BAD_JSON)


def missing(param: str) -> Refusal:
    return invalid(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def wrong_type(param: str, expected: str) -> Refusal:
    return invalid(
        f"Invalid type for '{param}': expected {expected}.", param=param, code="invalid_type"
    )


def resource_not_found() -> Refusal:
    return Refusal(404, {"error": {"code": "404", "message": "Resource not found"}})


def deployment_not_found(*, surface: str) -> Refusal:
    error: Json = {"code": "DeploymentNotFound", "message": _NOT_FOUND_HERE}
    if surface == "v1":
        error["type"] = "invalid_request_error"
    return Refusal(404, {"error": error})


def model_not_found(model: str) -> Refusal:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Refusal(404, _openai_error(message, "invalid_request_error", code="model_not_found"))


def invalid_url(method: str, path: str) -> Refusal:
    message = f"Invalid URL ({method} {path})"
    return Refusal(404, _openai_error(message, "invalid_request_error"))


def method_not_allowed(method: str, path: str) -> Refusal:
    message = f"Not allowed to {method} on {path}."
    return Refusal(405, _openai_error(message, "invalid_request_error"))


def dated_version_on_v1() -> Refusal:
    message = "api-version query parameter is not allowed when using /v1 path"
    return Refusal(400, {"error": {"code": "BadRequest", "message": message}})


def bad_key(*, on_azure: bool) -> Refusal:
    if on_azure:
        return Refusal(401, {"error": {"code": "401", "message": _BAD_KEY}})
    body = _openai_error(
        "Incorrect API key provided.", "invalid_request_error", code="invalid_api_key"
    )
    return Refusal(401, body)


def not_supported(operation: str, model: str) -> Refusal:
    message = (
        f"The {operation} operation does not work with the specified model, {model}. Please choose "
        "different model and try again. You can learn more about which models can be used with "
        "each operation here: https://go.microsoft.com/fwlink/?linkid=2197993."
    )
    return Refusal(400, {"error": {"code": "OperationNotSupported", "message": message}})


def context_too_long(*, window: int, tokens: int, param: str) -> Refusal:
    message = (
        f"This model's maximum context length is {window} tokens. However, your messages resulted "
        f"in {tokens} tokens. Please reduce the length of the messages."
    )
    return invalid(message, param=param, code="context_length_exceeded")


def too_many_tokens(*, asked: int, most: int) -> Refusal:
    """Whichever of its two names the cap was sent by, it is called by the older one."""
    message = (
        f"max_tokens is too large: {asked}. This model supports at most {most} completion tokens, "
        f"whereas you provided {asked}."
    )
    return invalid(message, param="max_tokens", code="invalid_value")


def prompt_filtered(*, newer_spelling: bool) -> Refusal:
    """Azure has two spellings of this error, and a client must know both."""
    if newer_spelling:
        inner: Json = {
            "inner_error": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_results": {"jailbreak": {"filtered": True, "detected": True}},
            }
        }
    else:
        inner = {
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {
                    **safe_categories(),
                    "jailbreak": {"filtered": True, "detected": True},
                },
            },
        }
    error = {
        "message": _FILTERED,
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        **inner,
    }
    return Refusal(400, {"error": error})


def previous_response_not_found(response_id: str) -> Refusal:
    return invalid(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def response_not_found(response_id: str) -> Refusal:
    body = _openai_error(f"Response with id '{response_id}' not found.", "invalid_request_error")
    return Refusal(404, body)


def safe_categories() -> Json:
    """The verdict of Azure's content filter on harmless text."""
    return {
        category: {"filtered": False, "severity": "safe"}
        for category in ("hate", "self_harm", "sexual", "violence")
    }


def fault_body(status: int, *, on_azure: bool) -> Json:
    """The usual body of a status that was asked for."""
    match status:
        case HTTPStatus.REQUEST_TIMEOUT:
            return {"error": {"code": "Timeout", "message": "The operation was timeout."}}
        case HTTPStatus.TOO_MANY_REQUESTS if on_azure:
            return {"error": {"code": "429", "message": _LIMITED}}
        case HTTPStatus.TOO_MANY_REQUESTS:
            return _openai_error(_LIMITED, "tokens", code="rate_limit_exceeded")
        case HTTPStatus.UNAUTHORIZED:
            return bad_key(on_azure=on_azure).body
        case _:
            return _unnamed_fault(status)


def _unnamed_fault(status: int) -> Json:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _openai_error(_UNAVAILABLE, "server_error", code="ServiceUnavailable")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _openai_error(_FAULTY, "server_error", code="InternalServerError")
    return _openai_error(f"Refused with {status}.", "invalid_request_error", code=str(status))


def _openai_error(
    message: str, kind: str, *, param: str | None = None, code: str | None = None
) -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
