"""What Dagster loads: the same chain for every market, every asset described and owned, every range one run."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.config.settings import Settings
from market_pipeline.definitions import build_definitions
from market_pipeline.errors import ConfigurationError
from market_pipeline.storage.duckdb_file import DuckDBFile

THREE = """
[stocks]
calendar = "XNYS"
start = 2024-01-02
symbols = ["A"]
[crypto]
calendar = "24/7"
start = 2024-01-01
symbols = ["B-USD"]
[europe]
calendar = "XETR"
start = 2024-01-02
symbols = ["C.DE"]
schedule_hour = 4
"""
MARKET_ASSETS = ("prices", "indicators", "models", "forecasts", "scores", "leaderboard", "signals")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    folder: Path = tmp_path_factory.mktemp("definitions")
    (folder / "markets.toml").write_text(THREE, encoding="utf-8")
    return build_definitions(Settings(home=folder, source="simulated", config=folder / "markets.toml"))


def test_five_lines_of_toml_make_a_market_with_its_whole_chain(definitions: dg.Definitions) -> None:
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {f"{market}/{asset}" for market in ("stocks", "crypto", "europe") for asset in MARKET_ASSETS} | {
        "mart"
    }
    repository = definitions.get_repository_def()
    assert {"europe_daily", "europe_monthly", "europe_prices"} <= set(repository.job_names)
    schedule = repository.get_schedule_def("europe_daily")
    assert (schedule.execution_timezone, schedule.cron_schedule) == ("Europe/Berlin", "0 4 * * *")


GUARDS = """
from pathlib import Path
from unittest import mock
from market_pipeline import definitions
from market_pipeline.config.markets_file import load_markets, packaged_config
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError
from market_pipeline.sources.selection import open_source

with mock.patch.object(definitions, "chain_of", lambda market: ()):
    try:
        definitions.assets_of(load_markets(packaged_config("simulated"))[0])
    except ValueError as error:
        print(error)
try:
    open_source(Settings(home=Path("data"), source="files"))
except ConfigurationError as error:
    print(error)
"""


def test_guards_hold_without_assertions() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-W", "ignore", "-c", GUARDS], capture_output=True, text=True, check=True, timeout=120
    )
    assert "orchestration/chain.py declares []" in done.stdout
    assert "Set MARKET_PIPELINE_FILES" in done.stdout


def test_the_definitions_are_valid(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_is_described_owned_and_one_run_for_a_range(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), key


def test_every_asset_is_tagged_grouped_and_describes_its_columns(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == (key.path[0] if len(key.path) > 1 else "readers"), key
        assert {"market", "grain"} <= set(node.tags), key
        if key.path == ["mart"]:
            assert "| `forecasts` |" in node.metadata["tables"].md_str
            continue
        schema = node.metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns if not column.description] == [], key
        assert {"market"} < {column.name for column in schema.columns}, key


def test_the_columns_in_the_ui_are_those_of_the_table(definitions: dg.Definitions, tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    for asset in MARKET_ASSETS:
        node = definitions.resolve_asset_graph().get(dg.AssetKey(["stocks", asset]))
        declared = node.metadata["dagster/column_schema"].columns
        name = node.metadata["dagster/table_name"]
        stored = warehouse.read("from duckdb_columns() where table_name = $name order by column_index", {"name": name})
        displayed = [(column.name, column.type.upper(), column.constraints.nullable) for column in declared]
        columns = stored.select(["column_name", "data_type", "is_nullable"]).to_pylist()
        assert displayed == [tuple(column.values()) for column in columns], asset


def test_a_columns_ancestors_exist(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def columns(key: dg.AssetKey) -> set[str]:
        return {column.name for column in graph.get(key).metadata["dagster/column_schema"].columns}

    for asset in ("indicators", "scores", "leaderboard", "signals"):
        key = dg.AssetKey(["stocks", asset])
        lineage = graph.get(key).metadata["dagster/column_lineage"].deps_by_column
        assert set(lineage) <= columns(key)
        for ancestors in lineage.values():
            for ancestor in ancestors:
                assert ancestor.column_name in columns(ancestor.asset_key)
                assert ancestor.asset_key in graph.get_ancestor_asset_keys(key)


def test_jobs_schedules_and_sensors_are_described_and_start_without_configuration(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    for named in (*repository.schedule_defs, *repository.sensor_defs):
        assert len(named.description or "") > 30, named.name
    for name in repository.job_names:
        if not name.startswith("__"):
            job = definitions.resolve_job_def(name)
            assert len(job.description or "") > 30, name
            dg.validate_run_config(job, {})


def test_every_asset_is_checked_and_wrong_data_blocks_downstream(definitions: dg.Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    names = {f"{check.asset_key.path[-1]}.{check.name}" for check in checks if check.asset_key.path[0] == "stocks"}
    for wanted in (
        "prices.every_bar_is_possible",
        "prices.keys_unique",
        "prices.required_values_present",
        "models.keys_unique",
        "prices.no_missing_bars",
        "prices.prices_up_to_date",
        "indicators.values_finite",
        "models.training_ends_before_the_month",
        "forecasts.quantiles_ordered",
        "forecasts.one_distribution",
        "forecasts.training_before_origin_before_target",
        "scores.losses_possible",
        "signals.signals_equal_stored_forecasts",
    ):
        assert wanted in names
    blocking = {spec.name for asset in definitions.asset_checks or () for spec in asset.check_specs if spec.blocking}
    assert {
        "every_bar_is_possible",
        "quantiles_ordered",
        "one_distribution",
        "values_finite",
        "required_values_present",
    } <= blocking
    assert "no_missing_bars" not in blocking


def test_a_second_source_is_an_asset_of_its_market_and_of_its_daily_job(tmp_path: Path) -> None:
    (tmp_path / "markets.toml").write_text(THREE.replace('["B-USD"]', '["B-USD"]\ncross_check = "bitstamp"'))
    definitions = build_definitions(Settings(home=tmp_path, source="yahoo", config=tmp_path / "markets.toml"))
    asset = dg.AssetKey(["crypto", "cross_check"])
    assert asset in definitions.resolve_job_def("crypto_daily").asset_layer.selected_asset_keys
    assert dg.AssetKey(["stocks", "cross_check"]) not in definitions.resolve_asset_graph().get_all_asset_keys()


def test_a_source_cannot_be_its_own_second_source(tmp_path: Path) -> None:
    toml = THREE.replace('["B-USD"]', '["B-USD"]\nexchange = "bitstamp"\ncross_check = "bitstamp"')
    (tmp_path / "markets.toml").write_text(toml)
    with pytest.raises(ConfigurationError, match="Name another exchange"):
        build_definitions(Settings(home=tmp_path, source="exchange", config=tmp_path / "markets.toml"))
