"""Runs of one market exclude each other: those of commands, and those of the server's queue."""

import subprocess
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline_tests.orchestration.test_processes import command, statuses


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data", source="simulated")


def run_of(instance: dg.DagsterInstance, market: str) -> dg.DagsterRun:
    """A run of an asset of a market that has not started."""

    @dg.asset(pool=market)
    def numbers() -> None:
        pass

    return instance.create_run_for_job(dg.Definitions([numbers]).resolve_implicit_global_asset_job_def())


def held_back(instance: dg.DagsterInstance, runs: list[dg.DagsterRun]) -> list[bool]:
    """Which of these runs the daemon's queue would hold back now."""
    log, started = instance.event_log_storage, dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    counter = GlobalOpConcurrencyLimitsCounter(
        instance, runs, instance.get_run_records(started), log.get_concurrency_keys(), log.get_pool_limits(),
        pool_granularity=instance.get_concurrency_config().pool_config.pool_granularity,
    )  # fmt: skip
    return [counter.is_blocked(run) for run in runs]


def test_commands_of_one_market_execute_one_after_the_other(settings: Settings) -> None:
    with command(settings, 600) as first, command(settings, 0, until="opened") as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(5)
        first.kill()
        assert second.wait(60) == 0
    with open_instance(settings) as instance:
        assert statuses(instance) == ["SUCCESS", "FAILURE"]


def test_the_queue_waits_for_a_run_of_a_command_of_the_same_market_only(settings: Settings) -> None:
    with open_instance(settings) as instance, command(settings, 600):
        runs = [run_of(instance, "slow"), run_of(instance, "other")]
        held_back(instance, runs)  # the queue's first evaluation creates the pools
        assert held_back(instance, runs) == [True, False]
