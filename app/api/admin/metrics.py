"""`GET /metrics`: for whoever scrapes it, without a key and apart from the API."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from app.api.admin.guard import NO_STORE
from app.api.admin.paced import Paced
from app.api.admin.services import MetricsPage

METRICS_PATH: Final = "/metrics"


def metrics_router(page: MetricsPage) -> APIRouter:
    """The route; it is in no document of the API, and nothing counts it."""
    paced = Paced(page)
    router = APIRouter(include_in_schema=False)

    @router.get(METRICS_PATH)
    async def metrics(request: Request) -> Response:
        content_type, body = await paced.page(request.headers.get("accept", ""))
        return Response(body, headers=NO_STORE | {"content-type": content_type})

    return router
