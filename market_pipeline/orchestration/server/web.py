"""The web process: Dagster's web server behind the checks of `access.py`."""

import dagster as dg
import uvicorn

# No public name; the version is pinned below 1.14.
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster_webserver.app import create_app_from_workspace_process_context

from market_pipeline.orchestration.server.access import guarded
from market_pipeline.orchestration.server.workspace import CodeAddress

STATEMENT_TIMEOUT = 15_000
"""Milliseconds of a database statement; this and the next two as in Dagster's own command."""

POOL_RECYCLE = 3600
"""Seconds after which a database connection is replaced."""

POOL_OVERFLOW = 20
"""Database connections above the pool's size."""

POLL_RATE = 2000
"""Milliseconds between two questions of a page for new events."""

CLOSING = 5
"""Seconds that open connections have to close."""


def serve_web(
    instance: dg.DagsterInstance, address: CodeAddress, host: str, port: int, public_url: str | None = None
) -> None:
    """Serve the UI until SIGTERM or SIGINT; at `public_url` too, when a reverse proxy passes requests on."""
    setup_interrupt_handlers()
    address.wait()
    instance.optimize_for_webserver(STATEMENT_TIMEOUT, POOL_RECYCLE, POOL_OVERFLOW)
    with WorkspaceProcessContext(instance, address.target, version=dg.__version__) as workspace:
        application = create_app_from_workspace_process_context(workspace, live_data_poll_rate=POLL_RATE)
        uvicorn.run(
            guarded(application, public_url),
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=CLOSING,
        )
