"""Says "too many requests" as each kind of deployment does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from app.simulator.deployment import SimulatedDeployment
from app.simulator.meter import Throttled
from app.simulator.refusal import Json, Refusal

# Names of Azure's operations, as its messages spell them.
_OPERATIONS: Final = {
    "chat/completions": "ChatCompletions_Create",
    "completions": "Completions_Create",
    "embeddings": "Embeddings_Create",
    "responses": "Responses_Create",
}


@dataclass(frozen=True, slots=True)
class Throttle:
    """A refusal for want of capacity; `api_version` is None on the v1 surface."""

    deployment: SimulatedDeployment
    throttled: Throttled
    operation: str
    api_version: str | None

    def refusal(self) -> Refusal:
        """The plain 429."""
        return Refusal(429, self._body(), self.headers())

    def headers(self) -> dict[str, str]:
        headers = {
            "retry-after-ms": str(max(1, math.ceil(self.throttled.wait * 1000))),
            "retry-after": str(self._seconds),
        }
        if self.deployment.on_azure and self.throttled.limit != "capacity":
            policy = "Token" if self.throttled.limit == "token" else "Call"
            headers["policy-id"] = f"DeploymentRatelimit-{policy}"
        return headers

    def message(self) -> str:
        if not self.deployment.on_azure:
            return self._openai_message()
        if self.deployment.kind == "ptu":
            return self._ptu_message()
        return self._paygo_message()

    @property
    def _seconds(self) -> int:
        return max(1, math.ceil(self.throttled.wait))

    @property
    def _api(self) -> str:
        if self.api_version is None:
            return "OpenAI Language Model Instance API"
        return f"Azure OpenAI API version {self.api_version}"

    @property
    def _operation(self) -> str:
        return _OPERATIONS.get(self.operation, self.operation)

    def _body(self) -> Json:
        error: Json = {"message": self.message()}
        if not self.deployment.on_azure:
            kind = "requests" if self.throttled.limit == "call" else "tokens"
            error |= {"type": kind, "param": None, "code": "rate_limit_exceeded"}
        else:
            error["code"] = "429" if self.deployment.kind == "ptu" else "RateLimitReached"
        return {"error": error}

    def _paygo_message(self) -> str:
        names = f"{self.deployment.deployment} for {self.deployment.model}"
        return (
            f"Your requests to {names} in {region_name(self.deployment.region)} have exceeded the "
            f"{self.throttled.limit} rate limit for your current AIServices S0 pricing tier. This "
            f"request was for {self._operation} under {self._api}. Please retry after "
            f"{self._seconds} seconds. To increase your default rate limit, visit: "
            "https://aka.ms/oai/quotaincrease."
        )

    def _ptu_message(self) -> str:
        return (
            f"Requests to the {self._operation} Operation under {self._api} have exceeded the "
            "provisioned capacity of your deployment. Please retry after "
            f"{self._seconds} seconds."
        )

    def _openai_message(self) -> str:
        return (
            f"Rate limit reached for {self.deployment.model} on "
            f"{self.throttled.limit}s per min. Please try again in {self._seconds}s."
        )


_REGIONS: Final = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "westus": "West US",
    "westus3": "West US 3",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
    "swedencentral": "Sweden Central",
    "westeurope": "West Europe",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "uksouth": "UK South",
    "japaneast": "Japan East",
}


def region_name(region: str) -> str:
    """The region as Azure displays it."""
    return _REGIONS.get(region, region)
