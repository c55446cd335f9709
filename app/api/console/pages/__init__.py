"""Every page of the console, one module for each matter."""

from __future__ import annotations

from app.api.console.frame import Console
from app.api.console.pages.overview import add_overview_page


def add_pages(console: Console) -> None:
    """Register all of them."""
    add_overview_page(console)
