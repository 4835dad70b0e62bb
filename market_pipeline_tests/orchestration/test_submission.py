"""How several hosts cut a range, and that one host does not."""

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat  # no public name
from pydantic import SecretStr

from market_pipeline.config.settings import Settings
from market_pipeline.definitions import build_definitions
from market_pipeline.errors import ServerError
from market_pipeline.orchestration import submission
from market_pipeline.orchestration.backfill import PlannedRun, apart
from market_pipeline.orchestration.partitions import month_partitions, session_partitions
from market_pipeline.orchestration.submission import pieces, require_daemon
from market_pipeline_tests.pipeline import Pipeline

FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 12, 31)
SEVERAL = {"warehouse": SecretStr("ducklake:postgres:dbname=market"), "store": "/lake", "compute": "ray://head:10001"}


def assets_of(settings: Settings) -> dict[str, tuple[int | None, bool]]:
    """Partitions of one run, and whether runs of the market exclude it, of each asset of a market."""
    assets = build_definitions(settings).assets or ()
    return {
        asset.key.path[-1]: (asset.backfill_policy.max_partitions_per_run, bool(asset.op.pool))
        for asset in assets
        if isinstance(asset, dg.AssetsDefinition) and asset.backfill_policy
    }


def test_several_hosts_compute_ranges_of_some_assets_at_once_and_one_host_of_none(tmp_path: Path) -> None:
    settings = Pipeline(tmp_path).settings
    here, there = assets_of(settings), assets_of(replace(settings, **SEVERAL))  # type: ignore[arg-type]
    assert {name for name in here if here[name] != there[name]} == {"models", "forecasts", "scores"}
    assert {limit for limit, _ in here.values()} == {None}
    assert {name for name, (_, pooled) in there.items() if pooled} == {"prices", "indicators", "leaderboard", "signals"}
    assert {name: limit for name, (limit, _) in there.items() if limit} == {
        "models": 12,
        "forecasts": 66,
        "scores": 264,
    }


def test_pieces_have_every_partition_once_and_whole_months(tmp_path: Path) -> None:
    market = Pipeline(tmp_path).market
    forecasts = pieces(PlannedRun("stocks", ("forecasts",), FIRST, LAST), session_partitions(market))
    assert [(piece.first, piece.last) for piece in forecasts] == [
        (dt.date(2024, 1, 2), dt.date(2024, 3, 28)),
        (dt.date(2024, 4, 1), dt.date(2024, 6, 28)),
        (dt.date(2024, 7, 1), dt.date(2024, 9, 30)),
        (dt.date(2024, 10, 1), dt.date(2024, 12, 31)),
    ]
    months = PlannedRun("stocks", ("models",), dt.date(2023, 12, 1), dt.date(2024, 12, 1))
    assert [piece.first for piece in pieces(months, month_partitions(market))] == [
        dt.date(2023, 12, 1), dt.date(2024, 12, 1),
    ]  # fmt: skip
    loads = PlannedRun("stocks", ("prices", "indicators"), FIRST, LAST)
    assert pieces(loads, session_partitions(market)) == [loads]


def test_assets_of_which_ranges_are_computed_at_once_run_one_after_the_other() -> None:
    run = PlannedRun("stocks", ("forecasts", "scores", "leaderboard", "signals", "mart"), FIRST, LAST)
    assert [part.assets for part in apart(run)] == [("forecasts",), ("scores",), ("leaderboard", "signals", "mart")]


def test_without_a_daemon_nothing_is_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "FIRST_BEAT", 0.1)
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(ServerError, match="serve daemon"):
        require_daemon(instance)


def test_a_daemon_that_is_just_starting_is_waited_for() -> None:
    def beat(instance: dg.DagsterInstance) -> None:
        time.sleep(1)
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", None))

    with dg.DagsterInstance.ephemeral() as instance, ThreadPoolExecutor(1) as pool:
        beating = pool.submit(beat, instance)
        require_daemon(instance)
        beating.result()
