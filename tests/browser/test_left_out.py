from __future__ import annotations

import pytest


def test_the_console_in_a_browser() -> None:
    """`make test` says that it leaves it out: it takes a browser, and two minutes."""
    pytest.skip("the console in a browser: `make browser` runs it")
