"""Requests as an ASGI server hands them over: each is told how it ended, and so is the operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.api.data_plane import DataPlane, DataPlaneLimits
from app.api.readiness import Readiness
from app.domain.completion import Outcome
from tests.fakes.house import House


def limits(
    *, max_in_flight: int = 10, body_s: float = 5.0, write_stall_s: float = 30.0
) -> DataPlaneLimits:
    return DataPlaneLimits(
        max_body=1 << 20, body_s=body_s, write_stall_s=write_stall_s, max_in_flight=max_in_flight
    )


@dataclass
class Exchange:
    """One request without a server around it, and what was sent back."""

    path: str = "/v1/models"
    sent: list[dict[str, Any]] = field(default_factory=list)

    async def on(self, plane: DataPlane) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "headers": [(b"x-request-id", b"req_1"), (b"authorization", b"Bearer key-of-acme")],
        }
        await plane(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status


class TestOverload:
    """More requests at once than this process may have."""

    async def test_a_refusal_is_recorded(self) -> None:
        """It is one request with one receipt, as any other, and costs no tenant anything."""
        house, exchange = House(), Exchange()
        await exchange.on(DataPlane(lambda: house.gateway, Readiness(), limits(max_in_flight=0)))

        receipt = house.receipt
        assert (exchange.status, receipt.status) == (503, 503)
        assert (receipt.outcome, receipt.error) == (Outcome.REFUSED, "gateway_overloaded")
        assert receipt.request_id == "req_1"

    async def test_what_fits_is_served(self) -> None:
        """The limit itself is still in."""
        house, exchange = House(), Exchange()
        await exchange.on(DataPlane(lambda: house.gateway, Readiness(), limits(max_in_flight=1)))

        assert (exchange.status, house.receipt.status) == (200, 200)
