"""The HTTP door: health, readiness, metrics. Nothing here changes anything."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from phusong.dashboards.exposition import Exposition

# Why the service is not ready, None when it is.
Readiness = Callable[[], str | None]

INDEX = """<!doctype html><html lang="vi"><meta charset="utf-8"><title>Phusong</title>
<h1>Phusong</h1><ul><li><a href="/metrics">/metrics</a> Prometheus
<li><a href="/-/healthy">/-/healthy</a> đang chạy · the process runs
<li><a href="/-/ready">/-/ready</a> sẵn sàng · telemetry is taken and judged</ul></html>
"""


def http_app(exposition: Exposition, not_ready: Readiness) -> Starlette:
    """Return the application."""

    async def metrics(request: Request) -> Response:
        body, content_type = exposition.render(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

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
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ]
    )
