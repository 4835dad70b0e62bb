"""Checks made from conditions: each passes when its query returns no row, and shows the rows that it returns.

Every asset is checked for what its tables declare: keys that appear once, and required values that are present. A query
that names $first and $last reads only what the run may have written; a check that is launched alone reads everything.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import ASSETS, Asset
from market_pipeline.orchestration.partitions import Span, span_of_check
from market_pipeline.orchestration.ui_metadata import markdown_table
from market_pipeline.storage.schema import Table
from market_pipeline.storage.warehouse import Warehouse

SHOWN = 10
REACH = dt.timedelta(days=31)
"""How far before its range a run may write: bars that settled late, more sessions than OVERLAP."""
EVERYTHING = Span(dt.date.min, dt.date.max)


@dataclass(frozen=True)
class Condition:
    """Passes when `sql` returns no row; one that does not block only warns, of data that is missing or old.

    `name` is a fact in plain words. `sql` may name $market, $first and $last.
    """

    name: str
    sql: str
    description: str
    blocking: bool = True


def conditions_hold(market: Market, asset: str, conditions: Sequence[Condition]) -> dg.AssetChecksDefinition:
    """A check for each condition of an asset and for what its tables declare; all in one step, of one moment."""
    key = dg.AssetKey([market.name, asset])
    every = (*declared_conditions(ASSETS[asset]), *conditions)

    @dg.multi_asset_check(
        name="__".join([*key.path, "conditions"]),
        specs=[
            dg.AssetCheckSpec(one.name, asset=key, blocking=one.blocking, description=one.description) for one in every
        ],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {check.name for check in context.selected_asset_check_keys}
        span = checked_span(span_of_check(context))
        parameters = {"market": market.name, "first": span.first, "last": span.last}
        with warehouse.snapshot() as connection:
            for one in every:
                if one.name in selected:
                    named = {name: value for name, value in parameters.items() if f"${name}" in one.sql}
                    yield _result(one, key, connection.execute(one.sql, named).to_arrow_table())

    return checks


def declared_conditions(asset: Asset) -> Iterator[Condition]:
    """What the partitioned tables of an asset declare: one condition for all keys, one for all required values."""
    partitioned = [table for table in asset.tables if table.partition]
    if partitioned:
        keyed = [table for table in partitioned if table.key]
        keys = "; ".join(f"{', '.join(table.key)} of {table.name}" for table in keyed)
        yield Condition("keys_unique", " union all ".join(map(_repeated_keys, keyed)), f"Each key has one row: {keys}.")
        names = ", ".join(table.name for table in partitioned)
        incomplete = " union all ".join(map(_incomplete_rows, partitioned))
        yield Condition("required_values_present", incomplete, f"Columns that require a value have one: {names}.")


def checked_span(span: Span | None) -> Span:
    """The sessions that the conditions of a run over `span` read."""
    return Span(span.first - REACH, span.last) if span else EVERYTHING


def _repeated_keys(table: Table) -> str:
    """A query for the keys that appear more than once: table, key as text, number of rows."""
    key = ", ".join(table.key)
    return (
        f"select '{table.name}' as stored_in, concat_ws(' ', {key}) as row, count(*) as rows "
        f"from {table.name} where {_written(table)} group by {key} having count(*) > 1"
    )


def _incomplete_rows(table: Table) -> str:
    """A query for the rows without a required value, as text: table, key, and the columns that have none."""
    required = [column.name for column in table.columns if not column.nullable]
    absent = ", ".join(f"case when {name} is null then '{name}' end" for name in required)
    return (
        f"select '{table.name}' as stored_in, concat_ws(' ', {', '.join(table.key or required[:3])}) as row, "
        f"concat_ws(', ', {absent}) as without from {table.name} "
        f"where {_written(table)} and ({' or '.join(f'{name} is null' for name in required)})"
    )


def _written(table: Table) -> str:
    """The rows of a market that a run may have written."""
    return f"market = $market and {table.partition} between $first and $last"


def _result(condition: Condition, asset: dg.AssetKey, offending: pa.Table) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"offending rows": offending.num_rows}
    if offending.num_rows:
        metadata["first of them"] = markdown_table(offending.slice(0, SHOWN))
    return dg.AssetCheckResult(
        passed=offending.num_rows == 0,
        asset_key=asset,
        check_name=condition.name,
        severity=dg.AssetCheckSeverity.ERROR if condition.blocking else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
