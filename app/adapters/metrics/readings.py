"""What is read when somebody asks rather than counted as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from app.adapters.metrics.family import Family

#: By label values, in the order of the family's labels; `()` where it has none.
Values = Mapping[tuple[str, ...], float]
Reader = Callable[[], Values]


class Readings:
    """Readers by family; several may tell parts of one."""

    def __init__(self) -> None:
        self._readers: list[tuple[Family, Reader]] = []
        self._failing: set[Family] = set()

    def add(self, family: Family, reader: Reader) -> None:
        """Ask `reader`, on the event loop, whenever metrics are asked for; it does no I/O."""
        self._readers.append((family, reader))

    def read(self) -> dict[Family, dict[tuple[str, ...], float]]:
        """Everything as of now. A reader that fails leaves its part out, and is logged once."""
        found: dict[Family, dict[tuple[str, ...], float]] = {}
        for family, reader in self._readers:
            try:
                values = reader()
            except Exception:  # noqa: BLE001  # one number less is better than none at all
                if family not in self._failing:
                    self._failing.add(family)
                    structlog.get_logger().exception("metric_unreadable", family=family.name)
                continue
            found.setdefault(family, {}).update(values)
        return found
