"""The page on the HTTP that is read, with the table of what is refused.

`python -m tests.tools.http_page` writes docs/http.md anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from app.api.strict_head import MAX_AROUND_BYTES, MAX_HEADER_BYTES, MAX_LINES, MAX_TARGET_BYTES
from tests.e2e.http_classes import READ, REFUSED, HttpClass

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "http.md"

_HEAD: Final = f"""# The HTTP that is read

HTTP/1.1 and HTTP/1.0, on both listeners, by the same rules. Before a gateway often stands a proxy.
Where the two read one request differently, a caller can hide a second one in it, which nobody has
looked at. So what can be read in two ways is refused, or read in one way that is written down here.

- **A refusal** is an error in OpenAI's shape, and the connection's end. Nothing behind it is read.
- **An answer that is due**, or under way, comes first. Then it is the connection's last.
- **The parser** is llhttp without any of its leniencies. What it would let pass and should not is
  in [`strict_head.py`](../app/api/strict_head.py).
- **Headers with an underscore** in the name are dropped: some servers read `x_y` as `x-y`.
- **Trailers** are dropped: whoever filters headers does not see them.
- **A repeated header** is one, joined by a comma (RFC 9110, 5.3). Two keys are no key.
- **Towards Azure** goes a request of the gateway's own making, by another client, with a length.
  Nothing of the caller's framing is passed on.

## Limits

| what | limit | then |
|---|---|---|
| a head that is not whole at the end of a read | {MAX_HEADER_BYTES} bytes | 431 |
| lines of a head | {MAX_LINES} | 431 |
| a target | {MAX_TARGET_BYTES} bytes | 414 |
| a body | `limits.max_body_bytes` (admin: 1 MiB) | 413 |
| sizes of chunks, extensions, trailers | {MAX_AROUND_BYTES} bytes, and 8 for each byte | 400 |
| a body that nobody has asked for yet | 64 KiB | reading pauses |
| connections at once, of each worker and listener | `limits.max_connections` | 503 |
| requests that wait for the one before them | 8 | reading pauses |
| to the last header, from a connection or a first byte | `timeouts.header_s` | it is dropped |
| from there to the body's end | `timeouts.body_s` | 408 |
| a connection without a request | `timeouts.keep_alive_s` | it is closed |
| an answer of which nothing is taken | `timeouts.write_stall_s` | it is dropped |

Slow clients slow nobody else: [measured](measurements.md#slow-clients).

## What every answer says

`cache-control: no-store` and `x-content-type-options: nosniff`, on both listeners, refusals and
health included ([the test](../tests/e2e/test_security_headers.py)). No `server` header names the
software or its version. There is no CORS: pages from elsewhere read nothing. The console's pages
have a Content-Security-Policy and more, and HSTS where the browser came by https.

## Refused

{len(REFUSED)} classes. Each is sent to both listeners with a request hidden in it or behind it.
There is one answer, the connection ends, and no deployment is asked
([the test](../tests/e2e/test_http_classes.py)). The made-up headers are `A` and `C`. Rules are
sections of RFC 9112, where no other RFC is named.
"""
_READ: Final = f"""
## Read in one way

{len(READ)} classes. There is one answer, one deployment is asked at most, and the connection's next
request begins where this one ends. Where another parser (h11) reads them, and random requests, too,
it reads the same ([the comparison](../tests/unit/api/test_second_reader.py)).
"""
_TITLES: Final = {
    "lengths": "How long a body is",
    "codings": "Transfer-Encoding",
    "chunks": "Chunks",
    "lines": "Header lines",
    "hosts": "Host",
    "requests": "Request lines, and heads as a whole",
}


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD.rstrip(), *_refused(), *_read(), ""])


def _refused() -> Iterator[str]:
    for group, some in groupby(REFUSED, key=lambda each: each.group):
        yield f"\n### {_TITLES[group]}\n\n| what is sent | rule | status |\n|---|---|---|"
        yield from (f"| {each.name} | {each.rule} | {each.status} |" for each in some)


def _read() -> Iterator[str]:
    yield _READ.rstrip()
    yield "\n| what is sent | rule | status | how it is read |\n|---|---|---|---|"
    yield from (_row(each) for each in READ)


def _row(each: HttpClass) -> str:
    return f"| {each.name} | {each.rule} | {each.status} | {each.reading} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
