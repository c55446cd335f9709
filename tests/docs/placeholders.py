"""What stands in pages for something of the reader's own, and what stands for it in a test."""

from __future__ import annotations

import re
from typing import Final

#: By what is in the page: the program of the page's directory that prints what it stands for.
PRINTED: Final = {
    "req_0123456789abcdef01234567": "docs-request",
    "0123456789abcdef0123456789abcdef": "docs-fingerprint",
    "Ab3dEf6hIj": "docs-key",
    "Cd5eFg8hIj": "docs-admin",
}
#: Addresses of a gateway: the data plane's, the admin plane's.
_DATA: Final = re.compile(
    r"http://127\.0\.0\.1:8080|http://GATEWAY:8080"
    r"|https://(?:gateway\.example\.com|spillgate\.example)(?::443)?"
)
_ADMIN: Final = re.compile(r"http://127\.0\.0\.1:8081|http://GATEWAY:8081")
#: A variable that the reader has a value for: the page's shell has one, too.
_ELIDED: Final = re.compile(r"^export \w+=\S*….*$", re.MULTILINE)


def replaced(text: str, *, data_url: str, admin_url: str) -> str:
    """A block's text with this machine's values in it."""
    text = _ELIDED.sub(":", text)
    text = _ADMIN.sub(admin_url, _DATA.sub(data_url, text))
    for placeholder, program in PRINTED.items():
        text = text.replace(placeholder, f"$({program})")
    return text
