"""Alerts: one sensor that sends each new problem once, and once more when it is resolved.

Off unless MARKET_PIPELINE_ALERTS has one or more addresses as Apprise writes them (Slack, e-mail, webhook ...).
"""

import datetime as dt
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from pydantic import SecretStr

from market_pipeline.config.markets import Market
from market_pipeline.errors import ConfigurationError, SourceError
from market_pipeline.orchestration.freshness import CHECK, GRACE
from market_pipeline.storage.freshness import stored_freshness
from market_pipeline.storage.warehouse import Warehouse

ASSET_JOB = "__ASSET_JOB"
"""The job of runs that are launched from the asset graph or the command line."""

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
"""The only part of an address that is never secret."""


def alerts_sensor(
    markets: Sequence[Market],
    jobs: Sequence[str],
    checks: Sequence[dg.AssetChecksDefinition],
    addresses: Sequence[SecretStr],
) -> dg.SensorDefinition:
    """The sensor `alerts`, for these markets, jobs and checks; its cursor stores the problems that were sent."""
    # Old prices are a problem of their own: see `stale_markets`.
    keys = [key for check in checks for key in check.check_keys if key.name != CHECK]

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends failed runs, failing checks and stale markets to MARKET_PIPELINE_ALERTS: each problem once, "
        "and once more when it is resolved.",
    )
    def alerts(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[Warehouse]) -> dg.SensorResult:
        known = json.loads(context.cursor or "{}")
        found = dict(failed_runs(context.instance, [*jobs, ASSET_JOB], known))
        found |= dict(failing_checks(context.instance, keys))
        found |= dict(stale_markets(warehouse, markets, dt.datetime.now(dt.UTC)))
        lines = changes(known, found)
        if not lines:
            return dg.SensorResult(skip_reason=f"Nothing new: {len(found)} problems, all of them sent before.")
        send([address.get_secret_value() for address in addresses], lines)
        return dg.SensorResult(skip_reason="Sent: " + " | ".join(lines), cursor=json.dumps(found))

    return alerts


def changes(known: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """One line for each subject with a new problem, then for each whose problem is resolved.

    A problem whose details differ from the known ones is not new.
    """
    new = [f"{subject}: {details}" for subject, details in found.items() if subject not in known]
    return new + [f"{subject}: resolved" for subject in known if subject not in found]


def failed_runs(
    instance: dg.DagsterInstance, jobs: Sequence[str], known: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Jobs whose newest run failed; while another attempt is running, a known problem remains."""
    for job in jobs:
        run = next(iter(instance.get_runs(dg.RunsFilter(job_name=job), limit=1)), None)
        if run is None:
            continue
        subject = f"job {job}"
        if run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
            yield subject, f"run {run.run_id} ended as {run.status.value.lower()}; its log has the reason"
        elif not run.is_finished and subject in known:
            yield subject, known[subject]


def failing_checks(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> Iterator[tuple[str, str]]:
    """Checks whose newest evaluation did not pass."""
    summaries = instance.event_log_storage.get_asset_check_summary_records(list(keys))
    for key, summary in summaries.items():
        record = summary.last_completed_check_execution_record
        evaluation = record.evaluation if record else None
        if evaluation is not None and not evaluation.passed:
            count = evaluation.metadata.get("offending rows")
            rows = f", {count.value} rows" if count is not None else ""
            asset, name = key.asset_key.to_user_string(), key.name.replace("_", " ")
            yield f"check {asset}: {name}", f"failed ({evaluation.severity.value}{rows})"


def stale_markets(warehouse: Warehouse, markets: Sequence[Market], now: dt.datetime) -> Iterator[tuple[str, str]]:
    """Markets whose newest final session is older than the calendar and the schedule's hour require."""
    if not warehouse.exists():
        return
    for market in markets:
        found = stored_freshness(warehouse, market, now - GRACE)
        if found.newest is not None and found.behind:
            due = market.newest_due(now - GRACE)
            yield f"market {market.name}", f"the newest stored session is {found.newest}, expected {due}"


def send(addresses: Sequence[str], lines: Sequence[str]) -> None:
    """Send one message to every address.

    Raises ConfigurationError with no more than the scheme of an address that Apprise cannot read, and SourceError when
    an address refused the message, so that the sensor tries again.
    """
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs an address that it cannot read
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its lines for debugging have the path
    sender = apprise.Apprise()
    for address in addresses:
        if not sender.add(address):
            scheme = SCHEME.match(address)
            what = f"its scheme is {scheme[1]!r}" if scheme else "it has no scheme"
            raise ConfigurationError(
                f"MARKET_PIPELINE_ALERTS holds an address that Apprise cannot read ({what}). Write it as Apprise "
                "documents it, such as json://host/path or mailto://user:password@example.com, without a space."
            )
    if not sender.notify(title="Market Pipeline", body="\n".join(lines)):
        raise SourceError(
            "An alert could not be delivered to every address of MARKET_PIPELINE_ALERTS; it is tried again. "
            "Test the addresses with: apprise --body test <address>"
        )
