"""The layout: what lies on the top level, who imports whom, names of files."""

import ast
from importlib.resources import files
from pathlib import Path

import pytest

PACKAGE = Path(str(files("market_pipeline")))
MODULES = sorted(PACKAGE.rglob("*.py"))
LADDER = (
    "errors", "config", "storage", "compute", "sources", "orchestration", "prices", "indicators", "models", "forecasts",
    "scores", "mart", "definitions", "cli",
)  # fmt: skip
"""Packages and files of the top level, in the order in which they may import each other."""

MODELS = ("prophet_exact", "features", "calibration", "forecasters", "joint", "registry")
"""The same within `models`."""

MAY_IMPORT = {
    "dagster": (
        "compute/launcher.py", "compute/instance_storage.py", "compute/range_checks.py",
        "orchestration/*.py", "orchestration/server/*.py",
        "definitions.py", "*/assets.py", "*/checks.py",
    ),
    "yfinance": ("sources/yahoo.py",),
    "duckdb": (
        "storage/*.py", "storage/lake/*.py", "sources/file*.py", "mart/publish.py", "mart/renewal.py", "mart/read.py",
        "mart/export.py", "mart/guarded.py",
    ),
}  # fmt: skip
"""The only files that may import a library."""

PLACES = ("warehouse", "store", "compute")
"""Settings that name a place."""

VARIABLES = tuple(f"MARKET_PIPELINE_{name.upper()}" for name in PLACES)

SETTINGS = {Path("config", "settings.py"), Path("config", "places.py")}
"""What reads the variables that name these places."""

ENGINES = ("ray", "dagster_ray", "dagster_postgres", "obstore", "psycopg", "psycopg2", "psycopg_pool")
"""Libraries of places."""

KINDS = (
    "market_pipeline.storage.duckdb_file", "market_pipeline.storage.lake", "market_pipeline.compute.cluster",
    "market_pipeline.compute.launcher", "market_pipeline.compute.instance_storage",
)  # fmt: skip
"""What an object from a factory may be; nobody asks."""


def imports_of(path: Path, *, within_functions: bool = True) -> set[str]:
    """Modules that a file imports: wherever in it, or outside its functions."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not within_functions:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names if node.module == "market_pipeline"}
    return found


def test_the_top_level_holds_packages_and_at_most_four_files() -> None:
    assert len([path for path in PACKAGE.iterdir() if path.is_file() and path.suffix in (".py", ".typed")]) <= 4


def test_the_package_has_no_leftovers_of_editors_and_merges() -> None:
    kinds = {path.suffix for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert kinds <= {".py", ".md", ".toml", ".typed", ".html", ".css", ".js"}


@pytest.mark.parametrize(
    "path", sorted(path.parent for path in PACKAGE.rglob("__init__.py")), ids=lambda path: path.name
)
def test_every_package_has_a_readme(path: Path) -> None:
    if path != PACKAGE:
        assert (path / "README.md").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_package_imports_a_later_one(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts
    for module in imports_of(path):
        there = module.split(".")
        if there[0] != "market_pipeline" or len(there) < 2 or there[1].startswith("__"):
            continue
        assert LADDER.index(there[1]) <= LADDER.index(here[0].removesuffix(".py")), module
        if here[0] == there[1] == "models" and here[1] in MODELS and there[2] in MODELS:
            assert MODELS.index(there[2]) <= MODELS.index(here[1]), module


def test_the_exact_prophet_imports_nothing_of_this_project() -> None:
    for path in (PACKAGE / "models" / "prophet_exact").glob("*.py"):
        ours = {name for name in imports_of(path) if name.startswith("market_pipeline")}
        assert all(name.startswith("market_pipeline.models.prophet_exact") for name in ours), path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_of_the_edges_stay_at_the_edges(path: Path) -> None:
    here = path.relative_to(PACKAGE)
    for library, places in MAY_IMPORT.items():
        if any(module.split(".")[0] == library for module in imports_of(path)):
            assert any(here.match(place) for place in places), f"{here} imports {library}"


def knows_where_it_runs(source: str) -> set[str]:
    """What of a module's code depends on which host it runs, or on which kind of storage or compute it got."""
    found, tree = set[str](), ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in PLACES:
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            found |= {f"settings.{node.attr}"} if owner == "settings" else set()
        if isinstance(node, ast.Constant) and node.value in VARIABLES:
            found.add(node.value)
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name for name in names if name.split(".")[0] in ENGINES or name.startswith(KINDS)}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_storage_and_compute_know_where_they_run(path: Path) -> None:
    here = path.relative_to(PACKAGE)
    if here.parts[0] not in ("storage", "compute") and here not in SETTINGS:
        assert not knows_where_it_runs(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "def f(settings): return settings.store",
        "def f(self): return self.settings.compute == 'local'",
        "def f():\n    import psycopg2",
        "from ray.util import joblib",
        "from market_pipeline.storage.duckdb_file import DuckDBFile",
        "import os; os.environ['MARKET_PIPELINE_WAREHOUSE']",
    ],
)
def test_code_that_asks_where_it_runs_is_found(source: str) -> None:
    assert knows_where_it_runs(source)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_names_are_specific_and_nothing_is_re_exported(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "base", "misc", "constants", "types", "manager"}
    if path.name == "__init__.py":  # within a function an import exports nothing
        assert not {name for name in imports_of(path, within_functions=False) if name.startswith("market_pipeline")}
