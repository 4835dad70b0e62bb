"""A pipeline for simulated weeks and months: what is read again and again is read once, by one process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse
from market_pipeline_tests.pipeline import Pipeline


class CachedWarehouse(DuckDBFile):
    """A warehouse that runs the same query only once between two writes, and opens its file once.

    Six weeks have hundreds of evaluations, and an open takes DuckDB twenty times as long as a query. No other process
    can use the file meanwhile.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.settings.warehouse_file, pipeline.settings.source)
        object.__setattr__(self, "answers", {})
        self.answers: dict[str, pa.Table]

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        query = f"{sql} {parameters}"
        if query not in self.answers:
            self.answers[query] = super().read(sql, parameters)
        return self.answers[query]

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if "opened" not in self.__dict__:
            object.__setattr__(self, "opened", super()._open(read_only=False))
        return self.__dict__["opened"].cursor()  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self, market: str) -> Iterator[Transaction]:
        self.answers.clear()
        with super().transaction(market) as transaction:
            yield transaction
        self.answers.clear()


class CachedPipeline(Pipeline):
    """A pipeline with a cached warehouse, and one market with its calendar."""

    @cached_property
    def market(self) -> Market:  # type: ignore[override]
        return super().market

    @cached_property
    def warehouse(self) -> Warehouse:  # type: ignore[override]
        return CachedWarehouse(self)

    @cached_property
    def assets(self) -> dict[str, dg.AssetsDefinition]:  # type: ignore[override]
        return super().assets
