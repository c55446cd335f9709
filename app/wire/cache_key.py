"""What a request's prompt begins with, as a key: requests with the same one share a warm cache.

Azure caches leading tokens, from 1,024 on, and routes by a hash of the first ones joined with
`prompt_cache_key` where the caller gives one (prompt caching page, 2026-03). Here it is a hash of
that key, or of the leading bytes of the prompt; shorter prompts have nothing that could be cached.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from app.domain.call.request import Operation

#: Where the prompt begins in the body.
_PROMPT: Final = {
    Operation.CHAT_COMPLETIONS: b'"messages"',
    Operation.RESPONSES: b'"input"',
    Operation.COMPLETIONS: b'"prompt"',
}
#: About 500 tokens of text: less than what is cached, more than what all applications begin with.
_LEADING_BYTES: Final = 2048
_DIGEST_BYTES: Final = 12
_LONGEST_KEY: Final = 1024


def cache_key(operation: Operation, body: bytes, named: object = None) -> bytes:
    """The key; empty where nothing is worth keeping together. `named` is `prompt_cache_key`."""
    if isinstance(named, str) and 0 < len(named) <= _LONGEST_KEY:
        return _digest(named.encode("utf-8", "surrogatepass"))
    if len(body) < _LEADING_BYTES:
        return b""
    begins = body.find(_PROMPT.get(operation, b"\0"))
    if begins < 0 or len(body) - begins < _LEADING_BYTES:
        return b""
    return _digest(body[begins : begins + _LEADING_BYTES])


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=_DIGEST_BYTES).digest()
