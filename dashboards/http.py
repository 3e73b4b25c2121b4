"""The HTTP door: health, readiness, metrics. Nothing here changes anything."""

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from phusong.dashboards.exposition import Exposition, Facts

# Why the service is not ready, None when it is.
Readiness = Callable[[], str | None]

Page = Callable[[Facts, str], tuple[bytes, str]]

NO_SITES = (
    "series per site are off, because there are many: four for each site, operator and technology. To have them, start with"
    " site_metrics = true (PHUSONG_SITE_METRICS=true, --site-metrics)\n"
)
INDEX = """<!doctype html><html lang="vi"><meta charset="utf-8"><title>Phusong</title>
<h1>Phusong</h1><ul><li><a href="/metrics">/metrics</a> Prometheus
<li><a href="/-/healthy">/-/healthy</a> đang chạy · the process runs
<li><a href="/-/ready">/-/ready</a> sẵn sàng · telemetry is taken and judged</ul></html>
"""


def http_app(
    exposition: Exposition, not_ready: Readiness, *, has_site_metrics: bool = False
) -> Starlette:
    """Return the application. has_site_metrics: serve `/metrics/sites`, too."""

    async def page(request: Request, render: Page) -> Response:
        # Facts belong to the loop and are taken in well under a millisecond; writing them out is for another thread, so
        # that no door waits for it.
        facts, accept = exposition.facts(), request.headers.get("accept", "")
        body, content_type = await asyncio.to_thread(render, facts, accept)
        return Response(body, headers={"Content-Type": content_type})

    async def metrics(request: Request) -> Response:
        return await page(request, exposition.page)

    async def sites(request: Request) -> Response:
        if not has_site_metrics:
            return PlainTextResponse(NO_SITES, status_code=404)
        return await page(request, exposition.site_page)

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_: Request) -> Response:
        reason = not_ready()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=503)

    async def index(_: Request) -> Response:
        return HTMLResponse(INDEX)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/metrics/sites", sites),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ]
    )
