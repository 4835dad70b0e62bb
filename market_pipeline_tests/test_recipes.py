"""The recipes for contributors, carried out in a copy of the pipeline: what they add is there and keeps the laws."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from market_pipeline_tests.pages import TOP, Block, blocks

RECIPES = [block for block in blocks("diff", "python") if block.title]

PLACES = {"reversal.py": "market_pipeline/models/reversal.py"}
"""Where in the pipeline a file goes that its page leaves to the reader."""

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
build_definitions(Settings(home=here / "home", source="yahoo"))

assert "reversal" in [forecaster.name for forecaster in FORECASTERS]
assert "no_symbol_stands_still" in [spec.name for check in checks_of(europe) for spec in check.check_specs]

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

FAILING = '''
"""The check of the recipe, seen failing."""

import datetime as dt
from pathlib import Path

from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor


def test_a_symbol_that_stands_still_is_told(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    vendor = Vendor(pipeline.market, dt.date(2023, 3, 31))
    pipeline.source = vendor
    for still in (False, True):
        vendor.bars.loc[vendor.bars["symbol"] == "SIM1", "volume"] = 0.0 if still else 1e6
        result = pipeline.materialise(("prices",), dt.date(2023, 1, 3), dt.date(2023, 3, 31))
        found = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
        assert found["no_symbol_stands_still"] is not still
'''

TESTS = (
    "indicators/test_catalogue.py",
    "indicators/test_compute.py",
    "models/test_forecasters.py",
    "test_laws.py",
    "prices/test_still.py",
)
CHOSEN = "span_20 or reversal or still or arrows or name_the_same or comment_of_a_table"
"""Of these tests, what concerns the additions."""


def place(recipe: Block) -> str:
    """The file in the pipeline that a block is, or changes."""
    return PLACES.get(recipe.title, recipe.title)


def carry_out(recipe: Block, copy: Path) -> None:
    """Make the file that a block is, or change the one that it changes."""
    path = copy / place(recipe)
    if recipe.language == "python":
        assert not path.exists(), f"{recipe}: {recipe.title} is there already"
        path.write_text(recipe.text, encoding="utf-8")
        return
    lines = recipe.text.splitlines()
    before = [line[1:] for line in lines if line[:1] != "+"]
    after = [line[1:] for line in lines if line[:1] != "-"]
    whole = line_ends(before) if all(line[:1] != "-" for line in lines) else "\n".join(before)
    text = path.read_text(encoding="utf-8")
    assert text.count(whole) == 1, f"{recipe}: {recipe.title} has {before} {text.count(whole)} times"
    path.write_text(text.replace(whole, line_ends(after) if whole.endswith("\n") else "\n".join(after)), "utf-8")


def line_ends(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pipeline in which every recipe was carried out."""
    copy = tmp_path_factory.mktemp("recipes")
    for part in ("market_pipeline", "market_pipeline_tests"):
        shutil.copytree(TOP / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", copy)
    shutil.copy(TOP / "dagster.yaml", copy)
    for recipe in RECIPES:
        carry_out(recipe, copy)
    (copy / "market_pipeline_tests" / "prices" / "test_still.py").write_text(FAILING, encoding="utf-8")
    return copy


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python that finds the copy before anything that is installed."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_each_kind_of_addition_has_a_recipe() -> None:
    changed = {place(recipe).split("/")[1] for recipe in RECIPES}
    assert {"markets.toml", "sources", "indicators", "models", "prices"} <= changed


def test_what_the_recipes_add_is_there(copy: Path) -> None:
    result = python(copy, "-c", ADDED, str(copy))
    assert result.returncode == 0, result.stderr


def test_what_the_recipes_add_passes_the_tests_that_they_name(copy: Path) -> None:
    result = python(copy, "-m", "pytest", "-v", "-n", "0", "-k", CHOSEN, *(f"market_pipeline_tests/{t}" for t in TESTS))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    for added in ("[span_20] PASSED", "[reversal] PASSED", "stands_still_is_told PASSED", "name_the_same PASSED"):
        assert added in result.stdout


def test_what_the_recipes_add_is_clean(copy: Path) -> None:
    files = sorted({place(recipe) for recipe in RECIPES if recipe.title.endswith(".py")})
    for words in (["format"], ["check"]):
        ruff = [str(Path(sys.executable).parent / "ruff"), *words, "--no-cache", *files]
        result = subprocess.run(ruff, cwd=copy, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
