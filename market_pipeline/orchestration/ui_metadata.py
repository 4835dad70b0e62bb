"""What the Dagster UI shows of an asset: columns and where they come from, numbers by partition, tables and pictures.

Knows how Dagster wants these; not what any number means.
"""

from base64 import b64encode
from collections.abc import Mapping
from math import isfinite
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.storage.catalog import MART
from market_pipeline.storage.schema import Table

NEWEST = 250
"""Partitions of a run that get numbers of their own, a year of sessions: each copies what was told before."""

Numbers = Mapping[str, Mapping[str, float]]
"""Partition to its numbers, by name."""


def asset_tags(market: str, grain: str) -> dict[str, str]:
    """Tags by which assets are found: whose they are, and what one partition or row group of them is."""
    return {"market": market, "grain": grain}


def table_metadata(market: str, table: Table) -> dict[str, Any]:
    """Metadata of the definition of an asset that fills `table`."""
    metadata: dict[str, Any] = {"dagster/table_name": table.name, "dagster/column_schema": schema_of(table)}
    if table.lineage:
        metadata |= lineage_of(market, table)
    return metadata


def schema_of(table: Table) -> dg.TableSchema:
    """The columns as they are declared, with their units."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


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
    """Give the newest partitions of a run their own numbers, which the UI plots; and the last one what the run came to.

    Metadata that a run returns would be stored with each of its partitions, ten years of them.
    """
    last = context.partition_key_range.end
    for key in sorted({*numbers, last})[-NEWEST:]:
        shown: dict[str, Any] = {name: value for name, value in numbers.get(key, {}).items() if isfinite(value)}
        context.add_asset_metadata(shown | (dict(of_the_run) if key == last else {}), partition_key=key)


def rows_by(rows: pa.Table, column: str) -> dict[str, dict[str, float]]:
    """How many rows each day of a date column has."""
    counted = pc.value_counts(rows[column].combine_chunks())
    days, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return {day.isoformat(): {"dagster/partition_row_count": count} for day, count in zip(days, counts, strict=True)}


def table(rows: pa.Table, digits: int = 4) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; a dash where there is no value."""
    lines = ["| " + " | ".join(rows.column_names) + " |", "|" + " --- |" * rows.num_columns]
    lines += ["| " + " | ".join(_cell(value, digits) for value in row.values()) + " |" for row in rows.to_pylist()]
    return dg.MetadataValue.md("\n".join(lines))


def image(png: bytes, words: str) -> dg.MarkdownMetadataValue:
    """A picture within the metadata itself, with words for who does not see it."""
    return dg.MetadataValue.md(f"![{words}](data:image/png;base64,{b64encode(png).decode()})")


def contents(tables: tuple[str, ...]) -> dg.MarkdownMetadataValue:
    """Tables and what each holds."""
    lines = [f"| `{name}` | {MART[name].description} |" for name in tables]
    return dg.MetadataValue.md("\n".join(["| table | what |", "| --- | --- |", *lines]))


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value).replace("|", "\\|")
