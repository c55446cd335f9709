"""The entry point of one worker of several: as little in memory as it can serve with."""

from __future__ import annotations

from app.bootstrap.lean import UNUSED, without


def main() -> None:
    """Serve until told to end; does not return."""
    with without(*UNUSED):
        from app.bootstrap.worker import worker  # noqa: PLC0415  # not before they are kept out
    worker()


if __name__ == "__main__":
    main()
