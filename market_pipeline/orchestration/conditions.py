"""How a check is made: a sentence that is true when its query finds nothing; what it finds is shown.

A query that names $first and $last looks at what the run wrote, so that a day costs what a day holds and not what five
years do; asked for alone, it looks at everything.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.partitions import Span, span_of_check
from market_pipeline.storage.warehouse import Warehouse

SHOWN = 10
REACH = dt.timedelta(days=31)
"""How far before its range a run may write: bars that settled late, more sessions than OVERLAP."""
EVERYTHING = Span(dt.date.min, dt.date.max)


@dataclass(frozen=True)
class Condition:
    """Passes when `sql` returns no row. One that does not block warns: data is missing or old, not wrong.

    `sql` may name $market, $first and $last.
    """

    sentence: str
    sql: str
    description: str
    blocking: bool = True


def conditions_hold(market: Market, room: str, conditions: Sequence[Condition]) -> dg.AssetChecksDefinition:
    """A check for each condition of an asset, named by its sentence; all in one step, on one connection."""
    asset = dg.AssetKey([market.name, room])

    @dg.multi_asset_check(
        name="__".join([*asset.path, "conditions"]),
        specs=[
            dg.AssetCheckSpec(one.sentence, asset=asset, blocking=one.blocking, description=one.description)
            for one in conditions
        ],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        span = looked_at(span_of_check(context))
        parameters = {"market": market.name, "first": span.first, "last": span.last}
        with warehouse.connect() as connection:
            for one in conditions:
                if one.sentence in wanted:
                    named = {name: value for name, value in parameters.items() if f"${name}" in one.sql}
                    yield _result(one, asset, connection.execute(one.sql, named).to_arrow_table())

    return checks


def looked_at(span: Span | None) -> Span:
    """The sessions that the conditions of a run over `span` look at."""
    return Span(span.first - REACH, span.last) if span else EVERYTHING


def _result(condition: Condition, asset: dg.AssetKey, offending: pa.Table) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"offending rows": offending.num_rows}
    if offending.num_rows:
        metadata["first of them"] = dg.MetadataValue.md(
            offending.slice(0, SHOWN).to_pandas().to_string(index=False).join(["```\n", "\n```"])
        )
    return dg.AssetCheckResult(
        passed=offending.num_rows == 0,
        asset_key=asset,
        check_name=condition.sentence,
        severity=dg.AssetCheckSeverity.ERROR if condition.blocking else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
