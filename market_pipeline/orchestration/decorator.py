"""The decorator of a market's assets: what follows from the declarations of the chain and of the tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.partitions import partitions_of
from market_pipeline.orchestration.ui_metadata import table_metadata


def market_asset(
    market: Market,
    name: str,
    *,
    kinds: set[str],
    owners: Sequence[str],
    deps: Sequence[dg.AssetKey | dg.AssetDep] = (),
    check_specs: Sequence[dg.AssetCheckSpec] = (),
    config_schema: Mapping[str, dg.Field] | None = None,
    cut: bool = False,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for the asset `name` of a market; a range of partitions is one run, and the market's only one.

    With `cut`, a range is several runs, which several hosts execute at once.
    """
    asset = ASSETS[name]
    return dg.asset(
        key=asset.key(market.name),
        group_name=market.name,
        pool=None if cut else market.name,
        partitions_def=partitions_of(market, asset.partition),
        backfill_policy=dg.BackfillPolicy.multi_run(asset.at_most) if cut else dg.BackfillPolicy.single_run(),
        deps=deps,
        kinds=kinds,
        owners=owners,
        metadata=table_metadata(market.name, asset.tables[0]),
        tags={"market": market.name, "grain": "market" if asset.partition == "none" else asset.partition},
        check_specs=check_specs,
        config_schema=config_schema,
    )
