"""Templates: every text is escaped, and a name that nobody gave is an error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.console.writing import FILTERS

_HERE: Final = Path(__file__).parent
#: The part of a page that follows without reloading.
LIVE: Final = "live"


class Templates:
    """The console's own, compiled when first asked for."""

    def __init__(self, static: Mapping[str, str]) -> None:
        """`static` are the addresses of static files by name."""
        self._environment = _environment()
        self._given = {"static": dict(static)}

    def page(self, name: str, context: Mapping[str, Any]) -> str:
        """A whole page."""
        return self._environment.get_template(name, globals=self._given).render(context)

    def live(self, name: str, context: Mapping[str, Any]) -> str:
        """Its live part alone; the whole page where it has none."""
        template = self._environment.get_template(name, globals=self._given)
        part = template.blocks.get(LIVE)
        if part is None:
            return template.render(context)
        return "".join(part(template.new_context(dict(context))))


@lru_cache(1)
def _environment() -> Environment:
    """Compiled templates are the same for whoever shows them."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(FILTERS)
    environment.globals["m"] = environment.get_template("macros.html").module
    return environment


class StaticFiles:
    """The few files that pages need, in memory; their addresses change with what is in them."""

    def __init__(self, root: str) -> None:
        """`root` is the path that they are below."""
        folder = _HERE / "static"
        self.bodies = {
            path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in _TYPES
        }
        self.addresses = {
            name: f"{root}/{name}?v={sha256(body).hexdigest()[:12]}"
            for name, body in self.bodies.items()
        }

    def type_of(self, name: str) -> str:
        """Its media type."""
        return _TYPES[Path(name).suffix]


_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
