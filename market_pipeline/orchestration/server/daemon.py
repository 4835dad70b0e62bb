"""The daemon process: Dagster's daemon, which runs schedules, sensors, backfills and the queue of runs."""

import dagster as dg

# No public name; the version is pinned below 1.14.
from dagster._daemon.controller import daemon_controller_from_instance
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

from market_pipeline.orchestration.server.workspace import CodeAddress


def serve_daemon(instance: dg.DagsterInstance, address: CodeAddress) -> None:
    """Run the daemon of this instance until SIGTERM or SIGINT."""
    setup_interrupt_handlers()
    address.wait()
    with capture_interrupts(), daemon_controller_from_instance(instance, address.target) as controller:
        controller.check_daemon_loop()
