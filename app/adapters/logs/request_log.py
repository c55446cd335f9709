"""One line in the log for each request, with all that explains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import msgspec
import structlog

from app.adapters.explanations import is_sampled
from app.adapters.logs.flood import STRANGERS_BURST, Flood
from app.adapters.logs.levels import REQUEST
from app.adapters.logs.request_line import RequestLines
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt

#: Every field of the line beside `time`, `level` and `event`, in its order; none is ever left out.
#: The words are those of the ledger, of explanations and of metrics. docs/logs.md has this table.
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "request_id": "as in `x-request-id`, the ledger and `spillgate explain`",
        "trace_id": "of the trace that a span of it is recorded in; null: none is",
        "client": "the address of who asked, [behind trusted proxies](tls.md#behind-proxies)",
        "tenant": "whose key it was; null: nobody's",
        "key_id": "the public part of the key",
        "operation": "`chat_completions`, `responses`, …; null: no such route",
        "model": "as configured; `(unknown)`: any other that was asked for",
        "stream": "whether events were asked for",
        "deployment": "that served it",
        "deployment_kind": "`ptu` or `paygo`",
        "status": "sent to the client; null: it left before any was",
        "outcome": "how it ended, as in the ledger",
        "error": "the code of the error, as the client got it",
        "error_type": "as in `llm_errors_total`, and `error.type` of its span",
        "spill": "why it left its first tier; `none`: it did not",
        "cache": "`exact`, `semantic`, `miss`, `bypass`",
        "cache_reason": "of a miss or bypass that is no plain one",
        "attempts": "how many deployments were asked",
        "tried": "each of them: name, status, verdict, milliseconds",
        "skipped": "each that was not asked: name, reason",
        "input_tokens": "of the prompt, cached ones included; null: nothing was used",
        "cached_input_tokens": "part of `input_tokens`",
        "output_tokens": "of the answer, reasoning included",
        "reasoning_tokens": "part of `output_tokens`",
        "cost_usd": "charged",
        "saved_usd": "what an answer from the cache would have cost",
        "duration_s": "from the headers to the last byte",
        "time_to_first_token_s": "from the headers to the first token handed on; null: no stream",
        "bytes": "of the answer, handed on",
        "degraded": "the policy that let it in while the accounts were out of reach",
        "flags": "as in the ledger: `estimated`, `background`, `unpriced`, `soft:LIMIT`, …",
        "policies": "rules of its input policy that it broke: action, kind, name",
        "errand": "what the gateway itself asked it for; null: it was a caller's",
    }
)


class RequestPolicy(msgspec.Struct, frozen=True):
    """Of which requests there is a line: `sample` is the part of ordinary ones, 0 to 1."""

    ordinary: bool = True
    extraordinary: bool = True  # failed, spilled, flagged, degraded, or estimated
    sample: float = 1.0


EVERY_REQUEST: Final = RequestPolicy()


class RequestLog:
    """Writes the event `request`, of requests that are to have a line."""

    def __init__(
        self, flood: Flood | None = None, write: Callable[..., None] | None = None
    ) -> None:
        """`flood` bounds the lines of requests that are no tenant's; None: nothing does.

        `write` None: the process logs in its own way, through structlog.
        """
        self._write = write or _by_structlog()
        self._flood = flood
        self.policy = EVERY_REQUEST

    def observe(self, *receipts: Receipt) -> None:
        """Write their lines."""
        every = self.policy is EVERY_REQUEST
        wanted = [
            each
            for each in receipts
            if (every and each.tenant is not None) or self._is_wanted(each)
        ]
        if wanted:
            self._write(*wanted)

    def _is_wanted(self, receipt: Receipt) -> bool:
        if receipt.tenant is None and self._flood is not None:
            stranger = f"{REQUEST}: {receipt.status}"
            if not self._flood.admits(stranger, STRANGERS_BURST):
                return False
        policy = self.policy
        if policy is EVERY_REQUEST:
            return True
        if not _is_ordinary(receipt):
            return policy.extraordinary
        return policy.ordinary and is_sampled(receipt.request_id, policy.sample)


def _by_structlog() -> Callable[..., None]:
    log, lines = structlog.get_logger().bind(), RequestLines(str)

    def write(*receipts: Receipt) -> None:
        for receipt in receipts:
            line = msgspec.structs.asdict(lines.line(receipt, receipt.request_id))
            log.info(REQUEST, **{name: line[name] for name in FIELDS})

    return write


def _is_ordinary(receipt: Receipt) -> bool:
    is_well = receipt.outcome is Outcome.FINISHED and receipt.status == HTTPStatus.OK
    is_degraded = receipt.reservation is not None and receipt.reservation.degraded is not None
    is_as_planned = receipt.spill is SpillReason.NONE and not receipt.flags
    return is_well and is_as_planned and not is_degraded and not receipt.findings
