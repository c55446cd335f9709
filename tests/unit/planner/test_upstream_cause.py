from __future__ import annotations

import socket

from app.errors import UpstreamUnreachable
from app.planner.upstream_cause import told


def test_the_system_says_why_where_it_knows() -> None:
    """A name that is not there, an address that refuses; else there is the error's own text."""
    error = UpstreamUnreachable("It could not be reached.")
    assert told(error) == "upstream_unreachable: It could not be reached."
    error.__cause__ = socket.gaierror(-2, "Name not known")
    assert told(error) == (
        "upstream_unreachable: It could not be reached. gaierror: [Errno -2] Name not known"
    )
