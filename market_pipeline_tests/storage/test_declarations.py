"""A table is declared once: a column that is added to one declaration appears wherever tables are known."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
BEFORE = '        Column("realised", "double",'
ADDED = '        Column("bias", "double", "Signed error of the mean, log return", sources=("forecasts.mean",)),\n'
KEY = """    key=("symbol", "origin", "horizon", "model"),
    partition="target_session",
    order=("horizon", "model", "symbol", "origin"),
"""

REPORT = """
import datetime as dt, importlib.util, json, sys
from pathlib import Path
import duckdb
from market_pipeline.config.markets_file import load_markets, packaged_config
from market_pipeline.mart.publish import publish
from market_pipeline.orchestration.conditions import declared_conditions
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.ui_metadata import table_metadata
from market_pipeline.storage.tables.scores import SCORES
from market_pipeline.storage.duckdb_file import DuckDBFile

folder = Path(sys.argv[1])
warehouse = DuckDBFile(folder / "warehouse.duckdb", "simulated")
found = warehouse.read(
    "select data_type, is_nullable, comment from duckdb_columns() where table_name = 'scores' and column_name = 'bias'"
).to_pylist()
publish(warehouse, load_markets(packaged_config("simulated")), folder / "mart.duckdb", dt.datetime.now(dt.UTC))
with duckdb.connect(str(folder / "mart.duckdb"), read_only=True) as mart:
    published = mart.execute(
        "select data_type, comment from duckdb_columns() where table_name = 'scores' and column_name = 'bias'"
    ).fetchall()
columns = table_metadata("stocks", SCORES)
spec = importlib.util.spec_from_file_location("reference", Path.cwd() / ".ci" / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
print(json.dumps({
    "warehouse": found,
    "mart": published,
    "conditions": {one.name: one.sql for one in declared_conditions(ASSETS["scores"])},
    "ui": [column.name for column in columns["dagster/column_schema"].columns],
    "lineage": "bias" in columns["dagster/column_lineage"].deps_by_column,
    "reference": "| `bias` |" in reference.pages()["reference/tables.md"],
}))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a copy of the project, with one declaration changed, reports of its tables."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("market_pipeline", ".ci"):
        shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dagster.yaml", "README.md"):
        shutil.copyfile(TOP / name, copy / name)
    declaration = copy / "market_pipeline" / "storage" / "tables" / "scores.py"
    text = declaration.read_text(encoding="utf-8")
    assert text.count(BEFORE) == 1
    assert text.count(KEY) == 1
    text = text.replace(BEFORE, ADDED + BEFORE).replace(KEY, KEY.replace('"model")', '"model", "bias")', 1))
    declaration.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REPORT, str(copy)],
        cwd=copy, env={"PYTHONPATH": str(copy), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_warehouse_has_the_column_with_its_type_and_comment(report: dict[str, object]) -> None:
    assert report["warehouse"] == [
        {"data_type": "DOUBLE", "is_nullable": False, "comment": "Signed error of the mean, log return"}
    ]


def test_the_mart_has_it_too(report: dict[str, object]) -> None:
    assert report["mart"] == [["DOUBLE", "Signed error of the mean, log return"]]


def test_the_checks_ask_for_its_uniqueness_and_its_values(report: dict[str, object]) -> None:
    conditions = report["conditions"]
    assert isinstance(conditions, dict)
    unique = [sql for name, sql in conditions.items() if name.endswith("_unique") and "bias" in sql]
    assert unique
    assert any("bias is null" in sql for sql in conditions.values())


def test_the_ui_shows_it_and_where_it_comes_from(report: dict[str, object]) -> None:
    assert "bias" in report["ui"]  # type: ignore[operator]  # a list
    assert report["lineage"]


def test_the_reference_page_describes_it(report: dict[str, object]) -> None:
    assert report["reference"]
