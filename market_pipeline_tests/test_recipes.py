"""The recipes for contributors, applied to a copy of the repository: the additions exist and pass the tests."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline_tests.pages import TOP, Block, blocks

RECIPES = [block for block in blocks("diff", "python") if block.title]

PATHS = {"reversal.py": "market_pipeline/models/forecasters/reversal.py"}
"""Path in the repository of a file that its page names without a folder."""

ADDED = """
import datetime as dt, sqlite3, sys
from pathlib import Path
import market_pipeline
from market_pipeline.definitions import build_definitions, checks_of
from market_pipeline.config.markets_file import load_markets, packaged_config
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.config.settings import Settings
from market_pipeline.sources.selection import open_source

here = Path(sys.argv[1])
assert Path(market_pipeline.__file__).is_relative_to(here), market_pipeline.__file__

markets = {market.name: market for market in load_markets(packaged_config("yahoo"))}
europe = markets["europe"]
build_definitions(Settings(home=here / "data", source="yahoo"))

assert "reversal" in [forecaster.name for forecaster in FORECASTERS]
assert "no_symbol_without_volume" in [spec.name for check in checks_of(europe) for spec in check.check_specs]

file = here / "bars.sqlite"
assert "no SQLite file" in open_source(Settings(here, "sqlite", file)).problem()
with sqlite3.connect(file) as connection:
    connection.execute("create table bars (symbol, session, open, high, low, close, volume)")
    connection.execute("insert into bars values ('SAP.DE', '2024-01-03', 9, 10, 8, 9.5, 100)")
source = open_source(Settings(here, "sqlite", file))
assert source.problem() is None
fetched = source.fetch(europe, ["SAP.DE", "NONE"], dt.date(2024, 1, 3), dt.date(2024, 1, 3))
assert {one.symbol: one.status for one in fetched.outcomes} == {"SAP.DE": "ok", "NONE": "unknown_symbol"}
assert fetched.bars["close"].tolist() == [9.5]
"""

UPGRADED = """
import sys
from pathlib import Path
from market_pipeline.storage.duckdb_file import DuckDBFile

[row] = DuckDBFile(Path(sys.argv[1]), "simulated").read("select sha256, comment from models").to_pylist()
print(row["sha256"], row["comment"])
"""

FAILING = '''
"""The check of the recipe fails on data with its violation."""

import datetime as dt
from pathlib import Path

from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor


def test_a_symbol_without_volume_is_reported(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    vendor = Vendor(pipeline.market, dt.date(2023, 3, 31))
    pipeline.source = vendor
    for without in (False, True):
        vendor.bars.loc[vendor.bars["symbol"] == "SIM1", "volume"] = 0.0 if without else 1e6
        result = pipeline.materialise(("prices",), dt.date(2023, 1, 3), dt.date(2023, 3, 31))
        found = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
        assert found["no_symbol_without_volume"] is not without
'''

TESTS = (
    "indicators/test_catalogue.py",
    "indicators/test_compute.py",
    "models/forecasters/test_forecasters.py",
    "test_layout.py",
    "prices/test_without_volume.py",
)
CHOSEN = "span_20 or reversal or without_volume"
"""The cases of these tests that concern the additions."""


def path_of(recipe: Block) -> str:
    """The file of the repository that a block contains or changes."""
    return PATHS.get(recipe.title, recipe.title)


def apply(recipe: Block, copy: Path) -> None:
    """Create the file of a block, or change the file that it changes."""
    path = copy / path_of(recipe)
    if recipe.language == "python":
        assert not path.exists(), f"{recipe}: {recipe.title} exists already"
        path.write_text(recipe.text, encoding="utf-8")
        return
    lines = recipe.text.splitlines()
    before = [line[1:] for line in lines if line[:1] != "+"]
    after = [line[1:] for line in lines if line[:1] != "-"]
    whole = joined(before) if all(line[:1] != "-" for line in lines) else "\n".join(before)
    text = path.read_text(encoding="utf-8")
    assert text.count(whole) == 1, f"{recipe}: {recipe.title} has {before} {text.count(whole)} times"
    path.write_text(text.replace(whole, joined(after) if whole.endswith("\n") else "\n".join(after)), "utf-8")


def joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every recipe applied."""
    copy = tmp_path_factory.mktemp("recipes")
    for part in ("market_pipeline", "market_pipeline_tests"):
        shutil.copytree(TOP / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", copy)
    shutil.copy(TOP / "dagster.yaml", copy)
    for recipe in RECIPES:
        apply(recipe, copy)
    (copy / "market_pipeline_tests" / "prices" / "test_without_volume.py").write_text(FAILING, encoding="utf-8")
    return copy


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python process that imports the copy instead of the installed package."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_each_kind_of_addition_has_a_recipe() -> None:
    changed = {path_of(recipe).split("/")[1] for recipe in RECIPES}
    assert {"config", "sources", "storage", "indicators", "models", "prices"} <= changed


def test_the_additions_exist(copy: Path) -> None:
    result = python(copy, "-c", ADDED, str(copy))
    assert result.returncode == 0, result.stderr


def test_a_data_directory_made_before_is_upgraded(copy: Path, tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    row = {"model": ["ewma"], "month": [dt.date(2024, 1, 1)], "trained_through": [dt.date(2023, 12, 29)]}
    row |= {"path": ["ewma.skops"], "sha256": ["digest"], "bytes": [1], "seconds": [1.0]}
    row |= {"fitted_at": [dt.datetime(2024, 1, 3, 22, tzinfo=dt.UTC)]}
    rows = pa.table(row).cast(WAREHOUSE["models"].schema)
    DuckDBFile(path, "simulated").write("stocks", lambda transaction: transaction.append("models", rows))
    result = python(copy, "-c", UPGRADED, str(path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["digest", "None"]


def test_the_additions_pass_the_tests_of_their_packages(copy: Path) -> None:
    result = python(copy, "-m", "pytest", "-v", "-n", "0", "-k", CHOSEN, *(f"market_pipeline_tests/{t}" for t in TESTS))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    for added in ("[span_20] PASSED", "[reversal] PASSED", "without_volume_is_reported PASSED"):
        assert added in result.stdout


def test_the_additions_are_formatted_and_linted(copy: Path) -> None:
    files = sorted({path_of(recipe) for recipe in RECIPES if recipe.title.endswith(".py")})
    for command in ("format", "check"):
        ruff = [str(Path(sys.executable).parent / "ruff"), command, "--no-cache", *files]
        result = subprocess.run(ruff, cwd=copy, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
