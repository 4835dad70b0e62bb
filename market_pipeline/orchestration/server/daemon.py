"""The daemon process: Dagster's daemon, which runs schedules, sensors, backfills and the queue of runs."""

import datetime as dt
import logging
import threading

import dagster as dg

# No public name; the version is pinned below 1.14.
from dagster._daemon.controller import daemon_controller_from_instance
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

from market_pipeline.compute.instance import FOR_EVER
from market_pipeline.orchestration.processes import end_lost_starts
from market_pipeline.orchestration.server.retries import daemons_of
from market_pipeline.orchestration.server.workspace import CodeAddress

INTERVAL = 10.0
"""Seconds between two looks at runs that have not begun."""


def serve_daemon(instance: dg.DagsterInstance, address: CodeAddress) -> None:
    """Run the daemon of this instance until SIGTERM or SIGINT."""
    setup_interrupt_handlers()
    address.wait()
    if instance.run_monitoring_start_timeout_seconds == FOR_EVER:
        threading.Thread(target=watch_starts, args=(instance,), daemon=True).start()
    controlled = daemon_controller_from_instance(instance, address.target, gen_daemons=daemons_of)
    with capture_interrupts(), controlled as controller:
        controller.check_daemon_loop()


def watch_starts(instance: dg.DagsterInstance) -> None:
    """End runs that were lost before they began, as long as the process lives."""
    pause = threading.Event()
    while not pause.wait(INTERVAL):
        try:
            end_lost_starts(instance, dt.datetime.now(dt.UTC))
        except Exception:  # of the database or of the cluster, which may answer again
            logging.getLogger("dagster.daemon").exception("Runs that have not begun could not be looked at.")
