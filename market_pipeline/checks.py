"""How a check is made: a sentence that is true when its query finds nothing; what it finds is shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from market_pipeline.warehouse import Warehouse

SHOWN = 10


@dataclass(frozen=True)
class Condition:
    """Passes when `sql` returns no row. One that does not block warns: data is missing or old, not wrong."""

    sentence: str
    sql: str
    blocking: bool = True
    description: str = ""


def conditions_hold(
    asset: dg.AssetKey, conditions: Sequence[Condition], parameters: Mapping[str, Any]
) -> dg.AssetChecksDefinition:
    """A check for each condition, named by its sentence; all in one step, on one connection."""

    @dg.multi_asset_check(
        name="__".join([*asset.path, "conditions"]),
        specs=[
            dg.AssetCheckSpec(one.sentence, asset=asset, blocking=one.blocking, description=one.description or None)
            for one in conditions
        ],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        with warehouse.connect() as connection:
            for one in conditions:
                if one.sentence in wanted:
                    yield _result(one, asset, connection.execute(one.sql, dict(parameters)).to_arrow_table())

    return checks


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
