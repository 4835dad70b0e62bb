"""B7 and B8: what a backfill and a daily run cost beyond what cannot be left out."""

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from generated import START, TEN_YEARS, many, market_of, settings_of, warehouse_of
from stopwatch import Stopwatch

DAILY = ("prices", "indicators", "forecasts", "scores", "leaderboard", "signals", "mart")
FOUR_YEARS = 1005


def backfill(folder: Path, size: float) -> dict[str, float]:
    """Prices and indicators of ten years into a new home, as the command line does it."""
    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.backfill import PlannedRun
    from market_pipeline.orchestration.instance import open_instance
    from market_pipeline.orchestration.runs import execute

    settings = settings_of(_new_home(folder), folder)
    last = market_of(many(size)).sessions[TEN_YEARS - 1].item()
    instance = open_instance(settings)
    with Stopwatch() as watch:
        execute(
            PlannedRun("bench", ("prices", "indicators"), START, last),
            build_definitions(settings),
            instance,
            lambda *_: None,
        )
    rows = warehouse_of(settings.home).read("select count(*) as rows from indicators")["rows"][0].as_py()
    if rows != many(size) * TEN_YEARS:
        raise AssertionError(f"{rows} rows of indicators arrived")
    return {"seconds": watch.seconds}


def empty_backfill(folder: Path, size: float) -> dict[str, float]:
    """The same definitions with nothing in the bodies, on an instance as Dagster makes it."""
    import dagster as dg

    with tempfile.TemporaryDirectory(dir=folder) as place:
        return _empty_backfill(folder, size, dg.DagsterInstance.local_temp(place))


def empty_backfill_in_batches(folder: Path, size: float) -> dict[str, float]:
    """The same with the pipeline's event log, as our side has it."""
    from market_pipeline.orchestration.instance import open_instance

    return _empty_backfill(folder, size, open_instance(settings_of(_new_home(folder), folder)))


def _empty_backfill(folder: Path, size: float, instance: Any) -> dict[str, float]:
    """The definitions' own keys, partitions, policies and checks, with nothing in the bodies."""
    import dagster as dg

    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.partitions import range_tags, session_partitions

    settings, market = settings_of(folder / "empty", folder), market_of(many(size))
    last = market.sessions[TEN_YEARS - 1].item()
    with Stopwatch() as watch:
        real = build_definitions(settings)
        assets = [_empty_asset(market.name, asset, session_partitions(market)) for asset in ("prices", "indicators")]
        wanted = {asset.key for asset in assets}
        steps = [list(step.check_specs) for step in real.asset_checks or ()]
        checks = [_empty_checks(specs) for specs in steps if specs[0].asset_key in wanted]
        empty = dg.Definitions(assets=assets, asset_checks=checks, executor=dg.in_process_executor)
        empty.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            tags=range_tags(START, last),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return {"seconds": watch.seconds}


def trained_home(folder: Path, size: float) -> None:
    """A data directory with four years of bars and indicators and a month's models, for a day to be run in."""
    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.backfill import PlannedRun
    from market_pipeline.orchestration.instance import open_instance
    from market_pipeline.orchestration.runs import execute

    settings, day = settings_of(folder / "trained", folder), _day(size)
    instance = open_instance(settings)
    before = market_of(many(size)).sessions[FOUR_YEARS - 1].item()
    month = day.replace(day=1)
    execute(
        PlannedRun("bench", ("prices", "indicators"), START, before),
        build_definitions(settings),
        instance,
        lambda *_: None,
    )
    execute(PlannedRun("bench", ("models",), month, month), build_definitions(settings), instance, lambda *_: None)


def daily(folder: Path, size: float) -> dict[str, float]:
    return _process("one_day", folder, size)


def bare_daily(folder: Path, size: float) -> dict[str, float]:
    return _process("one_bare_day", folder, size)


def one_day(folder: Path, size: float) -> None:
    """One session through Dagster, from the source to the mart, as `market-pipeline run` does it."""
    from market_pipeline.definitions import build_definitions
    from market_pipeline.orchestration.backfill import PlannedRun
    from market_pipeline.orchestration.instance import open_instance
    from market_pipeline.orchestration.runs import execute

    settings, day = settings_of(folder / "trained", folder), _day(size)
    definitions = build_definitions(settings)
    execute(PlannedRun("bench", DAILY, day, day), definitions, open_instance(settings), lambda *_: None)


def one_bare_day(folder: Path, size: float) -> None:
    """The functions that the assets call, and one load of the definitions: no run, no events, no checks."""
    import dagster as dg

    from market_pipeline.definitions import assets_of, build_definitions
    from market_pipeline.mart.assets import publish_with_report
    from market_pipeline.orchestration.maintenance import maintain
    from market_pipeline.sources.selection import open_source
    from market_pipeline.storage.publication import open_publication

    settings, market, day = settings_of(folder / "trained", folder), market_of(many(size)), _day(size)
    build_definitions(settings)
    bodies = {asset.key.path[-1]: asset for asset in assets_of(market)}
    warehouse = warehouse_of(settings.home)
    handed = {"warehouse": warehouse, "settings": settings, "source": open_source(settings)}
    keys = dg.PartitionKeyRange(day.isoformat(), day.isoformat())
    with dg.DagsterInstance.ephemeral() as instance:
        for asset in DAILY[:-1]:
            wanted = bodies[asset].required_resource_keys
            named: dict[str, Any] = {name: value for name, value in handed.items() if name in wanted}
            partitioned = asset not in ("leaderboard", "signals")
            context = [dg.build_asset_context(instance=instance, partition_key_range=keys)] if partitioned else []
            with mock.patch.object(dg.AssetExecutionContext, "add_asset_metadata"):  # there is no event to attach it to
                bodies[asset](*context, **named)
        publish_with_report(warehouse, [market], open_publication(settings))
        maintain(settings, warehouse, instance, "", dt.datetime.now(dt.UTC))


def _process(function: str, folder: Path, size: float) -> dict[str, float]:
    """Seconds of a new interpreter, its start and its imports included."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("one_side.py"))]
    with Stopwatch() as watch:
        done = subprocess.run(
            [*command, f"{Path(__file__).stem}:{function}", str(folder), str(size)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return {"seconds": watch.seconds}


def _day(size: float) -> dt.date:
    day: dt.date = market_of(many(size)).sessions[FOUR_YEARS].item()
    return day


def _new_home(folder: Path) -> Path:
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    return home


def _empty_asset(market: str, asset: str, partitions: Any) -> Any:
    import dagster as dg

    deps = [dg.AssetKey([market, "prices"])] if asset == "indicators" else []

    @dg.asset(key=[market, asset], partitions_def=partitions, deps=deps, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": 0})

    return nothing


def _empty_checks(specs: list[Any]) -> Any:
    """A step of checks."""
    import dagster as dg

    @dg.multi_asset_check(name="__".join([*specs[0].asset_key.path, specs[0].name]), specs=specs)
    def nothing() -> Iterator[dg.AssetCheckResult]:
        for spec in specs:
            yield dg.AssetCheckResult(passed=True, asset_key=spec.asset_key, check_name=spec.name)

    return nothing
