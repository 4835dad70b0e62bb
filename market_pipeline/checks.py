"""How a check is made: a sentence that is true when its query finds nothing; what it finds is shown."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from market_pipeline.warehouse import Warehouse

SHOWN = 10


def holds_when_empty(
    asset: dg.AssetKey,
    sentence: str,
    sql: str,
    *,
    parameters: Mapping[str, Any],
    blocking: bool = True,
    description: str = "",
) -> dg.AssetChecksDefinition:
    """A check named by `sentence` that passes when `sql` returns no row, and shows the first rows when it does.

    A check that does not block warns: the data is incomplete or old, and no value downstream is wrong for it.
    """

    @dg.asset_check(asset=asset, name=sentence, blocking=blocking, description=description or None)
    def check(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
        offending = warehouse.read(sql, parameters)
        metadata: dict[str, Any] = {"offending rows": offending.num_rows}
        if offending.num_rows:
            metadata["first of them"] = dg.MetadataValue.md(
                offending.slice(0, SHOWN).to_pandas().to_string(index=False).join(["```\n", "\n```"])
            )
        return dg.AssetCheckResult(
            passed=offending.num_rows == 0,
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )

    return check
