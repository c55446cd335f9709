"""What a simulated deployment is told about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SimulatedDeployment:
    """One deployment, answered under `/<name>` of the simulator.

    Raises:
        ValueError: a provisioned deployment without PTUs or without throughput per PTU.
    """

    name: str
    kind: Literal["ptu", "paygo"]
    model: str
    """The base model: tokenizer and behaviour."""
    deployment: str
    """The name in Azure's URLs and, on the v1 surface, in the body's `model`."""
    api: Literal["classic", "v1", "openai"]
    api_key: str | None
    """The only key accepted; None accepts any, and none."""
    ptus: int | None
    tpm: int | None
    """Tokens per minute of pay-as-you-go; None is unlimited."""
    rpm: int | None
    input_tpm_per_ptu: float
    output_ratio: float
    """Input tokens that one output token counts for."""
    cached_weight: float = 0.0
    """What a cached prompt token counts for: nothing, or 0.1 for the GPT-6 family."""
    context_window: int = 128_000
    max_output_tokens: int | None = None
    """The most that the model writes for one choice; None: nobody knows."""
    ttft_ms: float = 120
    """Median time to the first token; 0 is none."""
    tpot_ms: float = 12
    """Median time per output token after the first; 0 is none."""
    ptu_window_s: float = 60
    """Depth of the PTU bucket, in seconds of its capacity."""
    region: str = "eastus"
    seed: int | None = None
    """Of what its model writes; None takes the simulator's."""

    def __post_init__(self) -> None:
        if self.kind == "ptu" and not (self.ptus and self.input_tpm_per_ptu > 0):
            raise ValueError(
                f"deployment {self.name!r}: kind ptu needs ptus and input_tpm_per_ptu above 0, "
                f"not {self.ptus} and {self.input_tpm_per_ptu}"
            )

    @property
    def on_azure(self) -> bool:
        """Whether bodies and headers are Azure's rather than OpenAI's."""
        return self.api != "openai"

    @property
    def embeds(self) -> bool:
        return "embedding" in self.model

    @property
    def input_tokens_per_s(self) -> float:
        """What the PTUs sustain, in input tokens; 0 for pay-as-you-go."""
        return (self.ptus or 0) * self.input_tpm_per_ptu / 60
