"""docs/architecture.md names existing packages, imports and tables; other pages name existing files and imports."""

import importlib
import re
from pathlib import Path

import pytest

from market_pipeline import __version__
from market_pipeline.orchestration.chain import CHAIN
from market_pipeline_tests.pages import PAGES, TOP
from market_pipeline_tests.test_layout import LADDER, MODELS

PACKAGE = TOP / "market_pipeline"
PAGE = (TOP / "docs" / "architecture.md").read_text(encoding="utf-8")
SUFFIXES = ("py", "toml", "yaml", "sql", "html", "md", "ipynb")
NAMED = re.compile(rf"`([\w./-]+\.(?:{'|'.join(SUFFIXES)})|[\w./-]+/)`")
UNTRACKED = {"data/", "data/report.html", "dagster/", "spill/", "dist/", "site/", "qlib/"}
"""What a run creates, and a folder of another project."""


def packages_of_page(text: str) -> set[str]:
    """The packages in the tree, by their paths below market_pipeline/."""
    found, parents = set[str](), list[str]()
    for line in text.split("market_pipeline/\n", 1)[1].split("```", 1)[0].splitlines():
        entry = re.match(r"^( +)(\w+)/ +\S", line)
        assert entry, line
        depth = len(entry[1]) // 2 - 1
        parents = [*parents[:depth], entry[2]]
        found.add("/".join(parents))
    return found


def test_the_page_names_exactly_the_packages_that_exist() -> None:
    existing = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py")} - {"."}
    assert packages_of_page(PAGE) == existing


def test_a_missing_package_is_found() -> None:
    assert packages_of_page("market_pipeline/\n  one/   first\n    two/  second\n  three/ third\n```\n") == {
        "one", "one/two", "three",
    }  # fmt: skip


def test_the_page_links_the_readme_of_each_package() -> None:
    linked = set(re.findall(r"\]\(\.\./market_pipeline/(\w+)/README\.md\)", PAGE))
    assert linked == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def test_the_page_has_the_order_of_imports() -> None:
    assert " ← ".join(LADDER) in PAGE
    assert " ← ".join(f"`{name}`" for name in MODELS) in PAGE


def test_the_page_names_the_tables_of_each_asset() -> None:
    rows = {asset: (partition, tables) for asset, partition, tables in re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)}  # fmt: skip
    assert list(rows) == [asset.name for asset in CHAIN]
    for asset in CHAIN:
        partition, tables = rows[asset.name]
        assert partition == asset.partition
        if asset.tables:
            assert set(re.findall(r"`(\w+)`", tables)) == {table.name for table in asset.tables}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_a_file_named_on_a_page_exists(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = set(NAMED.findall(text)) - UNTRACKED
    assert {name for name in names if not exists(name, page.parent)} == set()


def exists(name: str, folder: Path) -> bool:
    """Whether a path exists below the repository, the package, the tests or the page's folder; a bare name anywhere."""
    roots = (TOP, PACKAGE, TOP / "docs", TOP / "market_pipeline_tests", folder)
    anywhere = () if "/" in name else (*PACKAGE.rglob(name), *(TOP / "market_pipeline_tests").rglob(name))
    return bool(anywhere) or any((root / name).exists() for root in roots)


def test_the_imports_in_the_changelog_of_this_version_exist() -> None:
    changelog = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    section = changelog.split(f"\n## {__version__}", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(market_pipeline[\w.]+)` \| `([\w.]+)` \| (.+) \|$", section, re.MULTILINE)
    for before, after, names in rows:
        module = importlib.import_module(after)
        assert before != after
        assert all(hasattr(module, name) for name in re.findall(r"`(\w+)`", names)), after
