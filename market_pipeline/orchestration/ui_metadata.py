"""What the Dagster UI shows of an asset: columns and their lineage, numbers by partition, tables and plots.

Knows Dagster's formats; does not know what a number means.
"""

from base64 import b64encode
from collections.abc import Mapping
from math import isfinite
from typing import Any

import dagster as dg
import pyarrow as pa

from market_pipeline.storage.catalog import MART
from market_pipeline.storage.schema import Table

NEWEST = 250
"""Partitions of a run that get numbers of their own, a year of sessions: Dagster copies all earlier ones each time."""

Numbers = Mapping[str, Mapping[str, float]]
"""Partition to its numbers, by name."""


def table_metadata(market: str, table: Table) -> dict[str, Any]:
    """Metadata of the definition of an asset that fills `table`: its columns as declared, and their lineage."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in table.columns
    ]
    lineage = lineage_of(market, table) if table.lineage else {}
    return {"dagster/table_name": table.name, "dagster/column_schema": dg.TableSchema(columns), **lineage}


def lineage_of(market: str, table: Table) -> dict[str, dg.TableColumnLineage]:
    """The columns that each column is computed from, among the assets of one market, as metadata."""
    deps = {
        column: [
            dg.TableColumnDep(dg.AssetKey([market, asset]), name)
            for asset, _, name in (source.partition(".") for source in sources)
        ]
        for column, sources in table.lineage.items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def record_metadata(context: dg.AssetExecutionContext, numbers: Numbers, of_the_run: Mapping[str, Any]) -> None:
    """Attach numbers to the newest partitions of a run, which the UI plots, and the run's metadata to the last one.

    Metadata that an asset returns would be stored with every partition of the run. NaN and infinity are left out.
    """
    last = context.partition_key_range.end
    for key in sorted({*numbers, last})[-NEWEST:]:
        finite: dict[str, Any] = {name: value for name, value in numbers.get(key, {}).items() if isfinite(value)}
        context.add_asset_metadata(finite | (dict(of_the_run) if key == last else {}), partition_key=key)


def rows_by(rows: pa.Table, column: str) -> dict[str, dict[str, float]]:
    """The number of rows for each day of a date column."""
    counts = rows.group_by(column).aggregate([([], "count_all")]).to_pylist()
    return {str(row[column]): {"dagster/partition_row_count": row["count_all"]} for row in counts}


def markdown_table(rows: pa.Table, digits: int = 4) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; a dash where there is no value."""
    lines = ["| " + " | ".join(rows.column_names) + " |", "|" + " --- |" * rows.num_columns]
    lines += ["| " + " | ".join(_cell(value, digits) for value in row.values()) + " |" for row in rows.to_pylist()]
    return dg.MetadataValue.md("\n".join(lines))


def image(png: bytes, alternative: str) -> dg.MarkdownMetadataValue:
    """An image stored in the metadata itself, with its alternative text."""
    return dg.MetadataValue.md(f"![{alternative}](data:image/png;base64,{b64encode(png).decode()})")


def contents(tables: tuple[str, ...]) -> dg.MarkdownMetadataValue:
    """Tables of the mart with their descriptions."""
    lines = [f"| `{name}` | {MART[name].description} |" for name in tables]
    return dg.MetadataValue.md("\n".join(["| table | what |", "| --- | --- |", *lines]))


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value).replace("|", "\\|")
