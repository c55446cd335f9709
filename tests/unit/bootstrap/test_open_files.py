"""How many files may be open follows how many connections there may be."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app.bootstrap.open_files import allow_open_files

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    """The limit of this process afterwards is what it was."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, HARD))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))


def test_it_is_raised_to_what_connections_need() -> None:
    """Each has one towards a client, and one towards an upstream."""
    allow_open_files(1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2512, HARD)


def test_it_is_never_lowered() -> None:
    """Whoever allowed more meant it."""
    allow_open_files(8)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000, HARD)


@pytest.mark.skipif(HARD == resource.RLIM_INFINITY, reason="there is no limit here")
def test_what_is_not_allowed_is_told() -> None:
    """The gateway serves with what it has."""
    with capture_logs() as lines:
        allow_open_files(HARD)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (HARD, HARD)
    (line,) = lines
    assert (line["event"], line["limit"]) == ("few files may be open", HARD)
