"""What `spillgate demo` prints: the first thing a newcomer reads, every line to be copied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoAddresses:
    """Where the demo listens and with which keys."""

    base_url: str  # ends in /v1
    api_key: str
    admin_url: str
    admin_key: str
    simulator_url: str


def demo_text(demo: DemoAddresses) -> str:
    """The text, plain, once everything serves."""
    return f"""\
Spillgate is serving: a small PTU deployment, two PAYGO deployments behind it, and one for
embeddings, all simulated in this process. Ctrl-C stops everything.

export OPENAI_BASE_URL={demo.base_url}
export OPENAI_API_KEY={demo.api_key}

Admin: {demo.admin_url}   key: {demo.admin_key}

Try, in another terminal, after the two exports:

1. Stream an answer:

curl -sN $OPENAI_BASE_URL/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o", "stream": true, "messages": [{{"role": "user", "content": "Hi"}}]}}'

2. Ask with the OpenAI SDK, unchanged (pip install openai):

python3 -c 'from openai import OpenAI
print(OpenAI().responses.create(model="gpt-4o", input="Say hello").output_text)'

3. Overfill the PTU, and count who served and why it was not the PTU:

for i in $(seq 40); do curl -s -o /dev/null -D - $OPENAI_BASE_URL/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o", "max_tokens": 200, "messages": [{{"role": "user", "content": "Hi"}}]}}' &
done | grep -E "^x-spillgate-(deployment|spill)" | sort | uniq -c

What the simulated Azure saw: {demo.simulator_url}/_sim/ledger
"""
