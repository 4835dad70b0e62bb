"""The configuration of the Dagster instance: the packaged one, or what several hosts need in its place."""

from typing import Any

from market_pipeline.compute.selection import on_several_hosts
from market_pipeline.config.settings import Settings

DERIVED = b"# Made of the settings at each start, for several hosts: a change is lost.\n"
"""The first line of a configuration that is made, not copied."""

NOWHERE = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
"""Of the output of runs: the UI reads files of its own host only. Ray keeps what a run has printed."""

CATALOGUE = {"custom": {"module": "market_pipeline.compute.instance_storage", "class": "CatalogueStorage"}}

ON_A_CLUSTER: dict[str, Any] = {
    "run_launcher": {"module": "market_pipeline.compute.launcher", "class": "ClusterRunLauncher"},
    # A command's stages wait for each other, so a run should not wait for the next look at the queue. While the head of
    # the cluster is away, runs stay there: an hour, asked for every ten seconds.
    "run_coordinator": {
        "module": "dagster.core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {
            "dequeue_interval_seconds": 1,
            "max_user_code_failure_retries": 360,
            "user_code_failure_retry_delay": 10,
        },
    },
}
"""What a cluster replaces."""

UNLIMITED = -1
"""Runs at once: Ray decides how many its hosts execute."""

FOR_EVER = 10**9
"""Seconds that a run may take to start: it waits in Ray's own queue as long as there is no host for it.

With 0, which switches the limit off, Dagster's monitoring takes each run that waits for an error of its own.
"""


def configuration_of(settings: Settings, packaged: bytes) -> bytes:
    """The content of dagster.yaml for these settings."""
    if not settings.warehouse:
        return packaged
    import yaml

    content = yaml.safe_load(packaged)
    del content["event_log_storage"]
    content |= {"storage": CATALOGUE, "compute_logs": NOWHERE}
    if on_several_hosts(settings):
        content |= ON_A_CLUSTER
        content["concurrency"]["runs"]["max_concurrent_runs"] = UNLIMITED
        content["run_monitoring"]["start_timeout_seconds"] = FOR_EVER
    made: bytes = yaml.safe_dump(content, sort_keys=False, encoding="utf-8")
    return DERIVED + made


def is_current(present: bytes, needed: bytes) -> bool:
    """Whether a copy may stay: one that was copied belongs to its owner, one that was made follows the settings."""
    return present == needed or not (present.startswith(DERIVED) or needed.startswith(DERIVED))
