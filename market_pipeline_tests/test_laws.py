"""The laws of the house: who may import whom, what files may be called, what loads with the definitions."""

import ast
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

HOUSE = Path(str(files("market_pipeline")))
MODULES = sorted(HOUSE.rglob("*.py"))
ROOMS = ("prices", "indicators", "models", "forecasts", "scores", "mart")
GROUND = {"errors", "settings", "markets", "panel", "columns", "display", "pictures", "warehouse", "sources"}
ROOF = {"definitions", "automation", "runs", "cli", "commands", "doctor"}


def imports_of(path: Path, *, within_functions: bool = True) -> set[str]:
    """Modules of the house that a file imports: wherever in it, or outside its functions."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not within_functions:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("market_pipeline"):
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names if node.module == "market_pipeline"}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_arrows_go_one_way(path: Path) -> None:
    here = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    for module in imports_of(path):
        there = [*module.split("."), ""][1]
        if here in ROOMS:
            assert there not in ROOF, module
            assert there not in ROOMS or ROOMS.index(there) <= ROOMS.index(here), module
        if here in GROUND:
            assert there in GROUND | {""} or there.startswith("_"), module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_file_is_a_drawer_and_none_passes_things_on(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "base", "misc", "constants", "types", "manager"}
    if path.name == "__init__.py":  # within a function an import passes nothing on: decision 12
        assert not imports_of(path, within_functions=False)


def test_the_heavy_libraries_load_only_where_they_are_used() -> None:
    heavy = (
        "prophet",
        "sklearn",
        "arch",
        "statsmodels",
        "cmdstanpy",
        "yfinance",
        "matplotlib",
        "plotly",
        "scipy.stats",
        "statsforecast",
        "numba",
    )
    code = (
        "import sys, market_pipeline.definitions as d; d.defs(); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "[]"
