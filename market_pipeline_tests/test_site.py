"""The documentation site: strict build, no broken link, no request to another host, complete reference."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import click
import pytest
import yaml

from market_pipeline.cli.main import main
from market_pipeline.config.markets_file import keys
from market_pipeline.config.settings import variables
from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.storage.catalog import MART, WAREHOUSE
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline_tests.error_messages import raised_errors
from market_pipeline_tests.pages import PAGES, TOP

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset"}
"""The attribute of each tag that loads a file."""

LARGEST = 200_000
"""Largest size of an image, in bytes."""


class Page(HTMLParser):
    """Links, loaded files and anchors of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links, self.loads, self.anchors = set[str](), set[str](), {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found.get("id", ""), found.get("name", "")}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in LOADS and found.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.add(found.get(LOADS[tag], ""))


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The MkDocs hook, which is not part of the package."""
    spec = importlib.util.spec_from_file_location("site_hook", TOP / ".ci" / "site.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as by `make docs`, in a temporary folder."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "ignore", "-m", "mkdocs", "build", "--strict", "--config-file", str(TOP / ".ci" / "mkdocs.yml")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(TOP)}
    result = subprocess.run(
        [sys.executable, *options, "--site-dir", str(folder)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, "\n".join(line for line in result.stderr.splitlines() if "WARNING" in line)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_link_and_anchor_exists(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links | page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            linked = pages.get(target)
            if not target.exists() or (linked and unquote(parts.fragment) not in linked.anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_a_page_loads_nothing_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    foreign = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    assert foreign == set()
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_a_search_finds_errors_and_terms(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    for text in ("did not become free within", "hysteresis", "bollinger_position_20"):
        assert text in index


def test_a_search_finds_a_section_titled_as_the_question(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    titles = [section["title"].lower() for section in index["docs"]]
    for question in (
        "docker",
        "how long",
        "memory",
        "disk",
        "upgrade",
        "yahoo",
        "portfolios",
        "all errors",
        "random walk",
    ):
        assert any(question in title for title in titles), question


def test_the_first_tabs_are_the_start_and_the_how_tos() -> None:
    nav = yaml.safe_load((TOP / ".ci" / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    tabs = [tab for section in nav for tab in section]
    assert tabs[:2] == ["Start", "How to"]
    assert {"Report", "Decisions"} < {*tabs}


@pytest.mark.parametrize("page", sorted((TOP / "docs").rglob("*.md")), ids=lambda page: str(page.relative_to(TOP)))
def test_the_first_sentence_of_a_page_names_its_readers(page: Path) -> None:
    """Except decisions, which are for those who change what they decide."""
    _, text = page.read_text(encoding="utf-8").split("\n\n", 1)
    readers = ("Pour qui ",) if page.stem == "rapport-technique" else ("For those ", "For everybody ", "For anyone ")
    assert text.startswith(readers) or page.parent.name == "decisions"


def test_the_reference_has_every_command_setting_table_indicator_and_model(site: Path) -> None:
    def text(name: str) -> str:
        return (site / "reference" / f"{name}.html").read_text(encoding="utf-8")

    for name, command in main.commands.items():
        assert f'id="{name}"' in text("commands")
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0] in text("commands")
    code = "".join(path.read_text(encoding="utf-8") for path in (TOP / "market_pipeline").rglob("*.py"))
    for name in set(re.findall(r"\bMARKET_PIPELINE_[A-Z]+\b", code)) | set(variables()) | set(keys()):
        assert f"<code>{name}</code>" in text("settings"), name
    for name in (*MART, *WAREHOUSE, "forecast_prices"):
        assert f'id="{name}"' in text("tables")
    assert all(f"<code>{name}</code>" in text("indicators") for name in NAMES)
    assert all(f"<code>{forecaster.name}</code>" in text("models") for forecaster in FORECASTERS)
    assert all(f'id="{name}"' in text("reading") for name in ("signals", "forecasts", "leaderboard", "sql"))
    assert "random walk beside every forecast" in text("checks")
    assert text("tables").count("quote currency") > 10  # comments with units are included


def test_every_error_is_listed_with_its_fix() -> None:
    page = (TOP / "docs" / "errors.md").read_text(encoding="utf-8")
    assert {sentence: where for sentence, where in raised_errors().items() if f"`{sentence}`" not in page} == {}


def test_every_listed_error_is_raised() -> None:
    page = (TOP / "docs" / "errors.md").read_text(encoding="utf-8").split("## From the system")[0]
    listed = set(re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE))
    code = "".join(path.read_text(encoding="utf-8") for path in (TOP / "market_pipeline").rglob("*.py"))
    for sentence in listed - set(raised_errors()):  # messages that a source returns as text
        pieces = [piece.strip() for piece in sentence.split("…") if piece.strip()]
        assert all(piece in code for piece in pieces), sentence


def test_a_notebook_becomes_a_page_of_text_code_and_output(hook: ModuleType) -> None:
    answers = [
        {"output_type": "stream", "text": ["one\n", "two\n"]},
        {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "<Figure>"}},
        {"output_type": "execute_result", "data": {"text/html": "<table>", "text/plain": ["   p\n", "0  1"]}},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# First look\n", "Text."]},
        {"cell_type": "code", "source": ["mart.signals()"], "outputs": answers},
        {"cell_type": "code", "source": [], "outputs": []},
    ]
    assert hook.notebook_page({"cells": cells}).split("\n\n") == [
        "# First look\nText.",
        "```python\nmart.signals()\n```",
        "```text\none\ntwo\n```",
        '<img alt="Output of the cell above" src="data:image/png;base64,aGk=">',
        "```text\n   p\n0  1\n```",
    ]


def test_the_nav_lists_existing_pages_only(hook: ModuleType) -> None:
    nav = [{"Start": ["index.md", "absent.md"]}, {"Runs": ["runs/*.md"]}, {"Nothing": ["nothing/*.md"]}]
    assert hook.expanded(nav, ["runs/b.md", "runs/a.md", "index.md"]) == [
        {"Start": ["index.md"]}, {"Runs": ["runs/a.md", "runs/b.md"]},
    ]  # fmt: skip


def test_images_are_small() -> None:
    large = {path.name: path.stat().st_size for path in (TOP / "docs" / "images").glob("*.png")}
    assert {name: size for name, size in large.items() if size > LARGEST} == {}


def test_pre_commit_hooks_are_local_and_their_tools_exist() -> None:
    configuration = yaml.safe_load((TOP / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in configuration["repos"]] == ["local"]
    for hook in configuration["repos"][0]["hooks"]:
        folder, _, tool = hook["entry"].split()[0].rpartition("/")
        assert (folder, hook["language"]) == (".venv/bin", "system")
        assert (Path(sys.executable).parent / tool).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_a_link_between_files_of_the_repository_exists(page: Path) -> None:
    """Except the reference, which is generated with the site."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
    targets = [urlsplit(one or other) for one, other in links]
    for link in targets:
        target = (page.parent / unquote(link.path)).resolve()
        if not link.scheme and link.path and target.parent != TOP / "docs" / "reference":
            assert target.exists(), link.path
