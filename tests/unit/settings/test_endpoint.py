"""Which addresses may be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings.endpoint import endpoint_fault


@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.openai.azure.com",
        "https://contoso.services.ai.azure.com/",
        "https://contoso_1.openai.azure.com:8443/apim/path",
        "https://10.0.0.4",
        "https://[fd12::1]:8443",
        "http://127.0.0.1:9000/ptu-east",
        "http://127.8.8.8",
        "http://localhost:9000",
        "http://[::1]:9000/v1",
    ],
)
def test_upstreams_and_loopback_are_allowed(url: str) -> None:
    """Public and private hosts over TLS, loopback without."""
    assert endpoint_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "contoso.openai.azure.com",
        "ftp://contoso",
        "https://",
        "https:///path",
        "http://contoso.openai.azure.com",
        "http://10.0.0.4",
        "http://localhost.evil.example",
        "https://user@contoso",
        "https://user:password@contoso",
        "https://contoso?x=1",
        "https://contoso?",
        "https://contoso#x",
        "https://contoso#",
        "https://contoso/a/../b",
        "https://contoso:port",
        "https://contoso:99999",
        "https://con toso",
        "https://contoso\\@evil",
        "https://contoso\n",
        "https://cöntoso",
        "https://-contoso",
        "https://con..toso",
        "https://[::1",
        "https://169.254.169.254/metadata",
        "https://[fe80::1]",
        "https://[::ffff:169.254.169.254]",
        "https://[fd00:ec2::254]",
        "https://168.63.129.16",
        "https://0.0.0.0",
        "https://[::]",
        "https://224.0.0.1",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://169.254.43518",
        "https://0251.0376.0251.0376",
        "https://metadata.google.internal",
        "https://METADATA.google.internal.",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Plain HTTP, credentials, disguised and forbidden addresses."""
    assert endpoint_fault(url) is not None


@given(st.text() | st.text().map(lambda text: f"https://{text}"))
def test_no_text_raises(url: str) -> None:
    """There is an answer for anything."""
    fault = endpoint_fault(url)
    assert fault is None or "\n" not in fault
