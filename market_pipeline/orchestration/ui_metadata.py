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

from market_pipeline.storage.columns import Lineage, about, columns_of

NEWEST = 250
"""Partitions of a run that get numbers of their own, a year of sessions: each copies what was told before."""

Numbers = Mapping[str, Mapping[str, float]]
"""Partition to its numbers, by name."""


def asset_tags(market: str, grain: str) -> dict[str, str]:
    """Tags by which assets are found: whose they are, and what one partition or row group of them is."""
    return {"market": market, "grain": grain}


def table_metadata(market: str, table: str, lineage: Lineage | None = None) -> dict[str, Any]:
    """Metadata of the definition of an asset that fills `table`."""
    metadata: dict[str, Any] = {"dagster/table_name": table, "dagster/column_schema": schema_of(table)}
    if lineage is not None:
        metadata["dagster/column_lineage"] = lineage_of(market, lineage)
    return metadata


def schema_of(table: str) -> dg.TableSchema:
    """The columns as the room's table.sql has them, with their units."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns_of(table)
        ]
    )


def lineage_of(market: str, lineage: Lineage) -> dg.TableColumnLineage:
    """The ancestors of columns, among the assets of one market."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey([market, room]), ancestor) for room, ancestor in ancestors]
            for column, ancestors in lineage.items()
        }
    )


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
    lines = [f"| `{name}` | {about(name)} |" for name in tables]
    return dg.MetadataValue.md("\n".join(["| table | what |", "| --- | --- |", *lines]))


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value).replace("|", "\\|")
