"""What `spillgate demo` prints: the first thing a newcomer reads, every line to be copied."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoAddresses:
    """Where the demo listens and with which keys."""

    base_url: str  # ends in /v1
    api_key: str
    admin_url: str
    admin_key: str
    simulator_url: str


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine has: the Python that runs the demo, and whether it has the OpenAI SDK."""

    python: Path
    has_sdk: bool

    @property
    def spillgate(self) -> str:
        """The command beside that Python, for a shell."""
        return shlex.quote(str(self.python.with_name("spillgate")))

    @property
    def sdk_python(self) -> str:
        """A Python that has the SDK, or can get it; for a shell."""
        return shlex.quote(str(self.python)) if self.has_sdk else "python3"


def demo_text(demo: DemoAddresses, here: Here) -> str:
    """The text, plain, once everything serves."""
    install = "" if here.has_sdk else " (pip install openai first)"
    return f"""\
Spillgate is serving: a small PTU deployment, two PAYGO deployments behind it, and one for
embeddings, all simulated in this process. Ctrl-C stops everything.

export OPENAI_BASE_URL={demo.base_url}
export OPENAI_API_KEY={demo.api_key}

export SPILLGATE_ADMIN_URL={demo.admin_url}
export SPILLGATE_ADMIN_KEY={demo.admin_key}

Look at it with a browser, and sign in with that key: {demo.admin_url}/console/

Try, in another terminal, after these exports:

1. Stream an answer:

curl -sN $OPENAI_BASE_URL/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o", "stream": true, "max_tokens": 40,
  "messages": [{{"role": "user", "content": "Hi"}}]}}'

2. Ask with the OpenAI SDK, unchanged{install}:

{here.sdk_python} -c 'from openai import OpenAI
print(OpenAI().responses.create(model="gpt-4o", input="Say hello").output_text)'

3. Overfill the PTU, and count who served and why it was not the PTU:

for i in $(seq 40); do curl -s -o /dev/null -D - $OPENAI_BASE_URL/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o", "max_tokens": 200, "messages": [{{"role": "user", "content": "Hi"}}]}}' &
done | grep -E "^x-spillgate-(deployment|spill)" | sort | uniq -c

The admin commands (docs/admin.md), for example:

{here.spillgate} tenant list

What the simulated Azure saw: {demo.simulator_url}/_sim/ledger
"""
