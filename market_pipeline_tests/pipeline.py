"""A whole pipeline in a temporary folder: settings, warehouse and real Dagster runs, with any source."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import dagster as dg
from pydantic import SecretStr

from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import load_markets
from market_pipeline.config.places import MART
from market_pipeline.config.settings import Settings
from market_pipeline.definitions import assets_of, build_definitions
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.orchestration.runs import QUIET
from market_pipeline.sources.protocol import Source
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.warehouse import Warehouse

SMALL = """
[stocks]
calendar = "XNYS"
start = 2023-01-03
symbols = ["AUTOREG", "SIM1", "SIM2"]
"""

CONTENT = {
    "prices": "* exclude (fetched_at, known_at)",
    "indicators": "*",
    "forecasts": "* exclude (made_at)",
    "scores": "*",
    "daily_scores": "*",
    "ledger": "* exclude (made_at, models)",
    "tails": "*",
    "ranks": "*",
    "pit": "*",
    "rank_scores": "*",
    "portfolios": "*",
    "portfolio_parts": "*",
    "portfolio_weights": "*",
    "portfolio_scores": "*",
}
"""The columns that must be equal whenever they were computed: all but the times of computing."""


def clock_at(moment: dt.datetime) -> mock.Mock:
    """A replacement for a module's `dt` whose current time is `moment`."""
    clock = mock.Mock(wraps=dt, UTC=dt.UTC)
    clock.datetime.now.return_value = moment
    return clock


@dataclass
class Pipeline:
    """One data directory; `source` replaces the configured one."""

    folder: Path
    toml: str = SMALL
    source: Source | None = None
    lake: str | None = None
    """MARKET_PIPELINE_WAREHOUSE; without it the DuckDB file."""
    store: str | None = None
    settings: Settings = field(init=False)
    instance: dg.DagsterInstance = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "markets.toml"
        config.write_text(self.toml, encoding="utf-8")
        lake = SecretStr(self.lake) if self.lake else None
        home = self.folder / "data"
        self.settings = Settings(home=home, source="simulated", config=config, warehouse=lake, store=self.store)
        self.instance = dg.DagsterInstance.ephemeral()

    @property
    def market(self) -> Market:
        return load_markets(self.settings.config or Path())[0]

    @property
    def mart(self) -> Path:
        return self.settings.home / MART

    @property
    def warehouse(self) -> Warehouse:
        return open_warehouse(self.settings)

    def materialise(self, assets: Sequence[str], first: dt.date, last: dt.date) -> dg.ExecuteInProcessResult:
        """One Dagster run of these assets and their checks, without raising."""
        keys = [dg.AssetKey(ASSETS[asset].key(self.market.name)) for asset in assets]
        with mock.patch("market_pipeline.orchestration.resources.open_source", self.open_source):
            return (
                build_definitions(self.settings)
                .resolve_implicit_global_asset_job_def()
                .execute_in_process(
                    instance=self.instance,
                    asset_selection=keys,
                    tags=range_tags(first, last),
                    raise_on_error=False,
                    run_config=QUIET,
                )
            )

    def run_job(self, name: str, request: dg.RunRequest) -> None:
        """Run a job as the daemon does, with the request's partitions and configuration."""
        with mock.patch("market_pipeline.orchestration.resources.open_source", self.open_source):
            job = build_definitions(self.settings).resolve_job_def(name)
            config = dict(request.run_config) | QUIET
            job.execute_in_process(instance=self.instance, run_config=config, tags=request.tags)

    @property
    def assets(self) -> dict[str, dg.AssetsDefinition]:
        """The assets of the market by their names."""
        return {asset.key.path[-1]: asset for asset in assets_of(self.market)}

    def open_source(self, settings: Settings) -> Source:
        """The source of this pipeline, or the configured one."""
        return self.source or open_source(settings)

    def resources(self) -> dict[str, object]:
        """The resources of assets and checks."""
        return {"warehouse": self.warehouse, "source": self.open_source(self.settings), "settings": self.settings}

    def compute(self, assets: Sequence[str], first: dt.date, last: dt.date) -> None:
        """The same assets called one after the other without a run: no events, no checks, much faster."""
        by_name, resources = self.assets, self.resources()
        for asset in assets:
            keys = dg.PartitionKeyRange(first.isoformat(), last.isoformat())
            context = dg.build_asset_context(instance=self.instance, partition_key_range=keys)
            named = {name: resources[name] for name in by_name[asset].required_resource_keys & set(resources)}
            # Without a run there is no event to attach metadata to.
            with mock.patch.object(type(context), "add_asset_metadata"):
                by_name[asset](context, **named)

    def build(self, assets: Sequence[str], first: dt.date, last: dt.date) -> None:
        """The same, for runs that must succeed."""
        result = self.materialise(assets, first, last)
        assert result.success, [event.step_failure_data.error for event in result.all_events if event.is_step_failure]

    def digest(self, table: str, until: dt.date | None = None) -> str:
        """A digest of a table's content, in the order of all its columns, up to a session."""
        rows = self.warehouse.read(
            f"select {CONTENT[table]} from {table} where {WAREHOUSE[table].partition} <= $until order by all",
            {"until": until or dt.date.max},
        )
        assert rows.num_rows
        return hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()
