"""Has the driver put on a load, in a process on cores of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.bench.driver_spec import Found, Spec
from loadtest.bench.environments import ROOT
from loadtest.bench.process import pinned
from loadtest.bench.upstreams import python

_WITHIN_S: Final = 200
_END_OF_ERROR: Final = 300


class LoadFailed(Exception):
    """A load generator did not do its work; says what it said."""


def drive(spec: Spec, cores: Sequence[int]) -> Found:
    """What came of it. Raises LoadFailed."""
    try:
        done = subprocess.run(  # noqa: S603  # our own driver
            pinned(python("loadtest.bench.driver"), cores, first=True),
            check=True,
            capture_output=True,
            input=msgspec.json.encode(spec),
            timeout=_WITHIN_S,
            cwd=ROOT,
        )
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"the driver: {error.stderr.decode()[-_END_OF_ERROR:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"the driver: {error}") from error
    return msgspec.json.decode(done.stdout, type=Found)
