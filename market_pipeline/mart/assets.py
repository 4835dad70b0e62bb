"""The `mart` asset: the published database and the report, for all markets at once."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.config.settings import Settings
from market_pipeline.mart.ages import read_freshness
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import published_at
from market_pipeline.mart.report.render import write_report
from market_pipeline.orchestration.maintenance import maintain
from market_pipeline.orchestration.ui_metadata import contents
from market_pipeline.storage.catalog import MART
from market_pipeline.storage.publication import Publication, open_publication
from market_pipeline.storage.warehouse import Warehouse

ATTEMPTS = 3
"""How often a machine publishes, if another one does so at the same moment each time."""


def mart_asset(markets: Sequence[Market]) -> dg.AssetsDefinition:
    """The asset `mart`."""

    @dg.asset(
        deps=[dg.AssetKey([market.name, "signals"]) for market in markets],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="readers",
        kinds={"duckdb", "html"},
        owners=["team:data"],
        tags={"market": "all", "grain": "mart"},
        metadata={"tables": contents(tuple(MART))},
    )
    def mart(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult[None]:
        """What readers get: the mart, one file that nobody writes to, and the report."""
        publication = open_publication(settings)
        rows, about = publish_with_report(warehouse, markets, publication)
        now = dt.datetime.now(dt.UTC)
        removed = maintain(settings, warehouse, context.instance, context.run.run_id, now)
        return dg.MaterializeResult(
            metadata={
                "mart": dg.MetadataValue.path(publication.address),
                "report": dg.MetadataValue.path(publication.report),
                "dagster/row_count": sum(rows.values()),
                **about,
                **{f"rows of {table}": count for table, count in rows.items()},
                **removed,
            }
        )

    return mart


def publish_with_report(
    warehouse: Warehouse, markets: Sequence[Market], publication: Publication
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Publish the mart with its report, again where another machine did so at once; rows by table, size and ages."""
    for _ in range(ATTEMPTS):
        with publication.turn() as earlier:
            report = partial(write_report, publication.file, publication.report_file)
            rows = publish(warehouse, markets, publication.file, meanwhile=report)
            now = dt.datetime.now(dt.UTC)
            alone = publication.put(published_at(publication.file) or now, earlier)
            behind = {one.market: one.behind for one in read_freshness(publication.file, now) if one.behind is not None}
            about = {f"sessions behind in {name}": sessions for name, sessions in behind.items()}
            about["bytes"] = publication.file.stat().st_size
        if alone:
            break
    return rows, about
