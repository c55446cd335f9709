"""Every page of the console, one module for each matter."""

from __future__ import annotations

from app.api.console.frame import Console
from app.api.console.pages.audit import add_audit_pages
from app.api.console.pages.cache import add_cache_pages
from app.api.console.pages.deployments import add_deployment_pages
from app.api.console.pages.keys import add_key_pages
from app.api.console.pages.limits import add_limit_pages
from app.api.console.pages.overview import add_overview_page
from app.api.console.pages.plan import add_plan_pages
from app.api.console.pages.playground import add_playground_pages
from app.api.console.pages.ptu import add_ptu_page
from app.api.console.pages.requests import add_request_pages
from app.api.console.pages.spill import add_spill_page
from app.api.console.pages.statements import add_statement_pages
from app.api.console.pages.tenants import add_tenant_pages


def add_pages(console: Console) -> None:
    """Register all of them."""
    add_overview_page(console)
    add_ptu_page(console)
    add_spill_page(console)
    add_plan_pages(console)
    add_statement_pages(console)
    add_tenant_pages(console)
    add_limit_pages(console)
    add_key_pages(console)
    add_deployment_pages(console)
    add_request_pages(console)
    add_cache_pages(console)
    add_audit_pages(console)
    add_playground_pages(console)
