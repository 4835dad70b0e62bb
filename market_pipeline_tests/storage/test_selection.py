"""Which warehouse the settings name, and what is reported where the packages of a lake are missing."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.selection import open_warehouse

LAKE = SecretStr("ducklake:postgres:host=catalog dbname=market password=planted")


def test_without_a_lake_it_is_the_file_of_the_data_directory(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, source="simulated")
    assert open_warehouse(settings) == DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")


def test_a_lake_needs_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    for name in [name for name in sys.modules if name.startswith("market_pipeline.storage.lake")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match="psycopg2 is not installed") as error:
        open_warehouse(Settings(home=tmp_path, source="simulated", warehouse=LAKE, store="s3://bucket/prefix"))
    assert "planted" not in str(error.value)
