"""The blocks of the pages are run: commands, queries, code, configuration, on a small pipeline with the same names."""

import ast
import configparser
import datetime as dt
import doctest
import json
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pytest

from market_pipeline.cli.main import main
from market_pipeline.config.markets_file import load_markets
from market_pipeline.config.places import REPORT
from market_pipeline.config.settings import variables
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline.mart.report.render import write_report
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline_tests.compose import services_of
from market_pipeline_tests.pages import BLOCKS, TOP, Block, blocks
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor

MARKETS = """
[stocks]
calendar = "XNYS"
start = 2023-01-03
symbols = ["AAPL", "AUTOREG", "KO", "MSFT", "SAP.DE"]
"""
FIRST, LAST = dt.date(2024, 6, 3), dt.date(2024, 6, 28)
SHELL = ("console", "bash", "sh", "shell")
NOT_RUN = ("", "text", "csv", "mermaid", "diff")
"""Blocks without anything to run; test_recipes.py applies those of `diff`."""

SETTINGS = set(variables())
OF_THE_STORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"}
SERVICES = services_of(dict.fromkeys(("PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "any"))
CHEAP = ("forecast", "verdicts", "doctor", "replay", "completion")
"""Commands that are run, not only parsed."""

each = lambda found: pytest.mark.parametrize("block", found, ids=str)  # noqa: E731  a decorator with its argument


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A month of origins of the symbols in the pages, published; the prices are random walks."""
    pipeline = Pipeline(tmp_path_factory.mktemp("docs"), MARKETS)
    pipeline.source = Vendor(pipeline.market, LAST)
    pipeline.compute(("prices", "indicators"), pipeline.market.start, LAST)
    pipeline.compute(("models",), FIRST, LAST.replace(day=1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, dt.datetime.now(dt.UTC))
    write_report(pipeline.mart, pipeline.mart.with_name(REPORT))
    return pipeline


@pytest.fixture
def here(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the pages assume it: data/ and ~/market are the data directory, and the environment names it."""
    (tmp_path / "data").symlink_to(pipeline.settings.home)
    (tmp_path / "market").symlink_to(pipeline.settings.home)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HOME": pipeline.settings.home,
        "SOURCE": "simulated",
        "CONFIG": pipeline.settings.config,
    }.items():
        monkeypatch.setenv(f"MARKET_PIPELINE_{name}", str(value))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_every_block_has_a_language_that_is_tested() -> None:
    tested = (*SHELL, *NOT_RUN, "python", "sql", "toml", "ini", "json")
    assert {str(block): block.language for block in BLOCKS if block.language not in tested} == {}


def by_page(*languages: str) -> dict[str, list[Block]]:
    pages = defaultdict[str, list[Block]](list)
    for block in blocks(*languages):
        pages[block.page].append(block)
    return pages


PYTHON, CONSOLE = by_page("python"), by_page(*SHELL)


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str, here: Path) -> None:
    names: dict[str, Any] = {"__name__": "__page__"}
    for block in PYTHON[page]:
        if block.text.startswith(">>> "):
            session = doctest.DocTestParser().get_doctest(block.text, names, str(block), block.page, block.line)
            assert doctest.DocTestRunner().run(session, clear_globs=False).failed == 0
            continue
        code = compile(ast.parse(block.text), str(block), "exec")
        if not (block.reason_not_run or block.title):  # a block with a title is a file of a recipe
            exec(code, names)


@each(blocks("sql"))
def test_a_query_runs(block: Block, pipeline: Pipeline) -> None:
    if block.title == "warehouse":
        assert pipeline.warehouse.read(block.text).num_columns
    else:
        assert query(pipeline.mart, block.text).num_columns


@each(blocks("toml", "json"))
def test_a_markets_file_is_valid_and_json_is_json(block: Block, tmp_path: Path) -> None:
    if block.language == "json":
        json.loads(block.text)
        return
    (tmp_path / "markets.toml").write_text(block.text, encoding="utf-8")
    assert all(market.sessions.size for market in load_markets(tmp_path / "markets.toml"))


@each(blocks("ini"))
def test_a_systemd_unit_starts_an_existing_command(block: Block) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys as systemd spells them
    unit.read_string(block.text)
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert_parsed(shlex.split(unit["Service"]["ExecStart"]))
    assert set(re.findall(r"MARKET_PIPELINE_\w+", block.text)) <= SETTINGS


@pytest.mark.parametrize("page", CONSOLE)
def test_the_commands_of_a_page_parse_and_the_cheap_ones_run(page: str, here: Path) -> None:
    for block in CONSOLE[page]:
        assert block.commands, f"{block}: in a console block, commands begin with '$ '"
        for command in block.commands:
            check_command(command, block)


def check_command(command: str, block: Block) -> None:
    """Parse a command as the shell does; run it if it is cheap and its block has no reason not to run."""
    words = shlex.split(command)
    tool = Path(words[0]).name
    if tool == "market-pipeline":
        assert_parsed(words)
        if words[1] in CHEAP and not block.reason_not_run:
            run(words[1:])
    elif tool == "make":
        assert_targets(words[1:])
    elif tool == "export":
        assert {word.partition("=")[0] for word in words[1:]} <= SETTINGS | OF_THE_STORE
    elif words[:2] == ["docker", "compose"] and "market-pipeline" in words:
        inner = words.index("market-pipeline")
        assert words[inner - 1] in SERVICES
        assert_parsed(words[inner:])
    elif tool in {"tar", "mkdir"} and not block.reason_not_run:
        subprocess.run(["bash", "-c", command], check=True, timeout=60)
    elif words[0].startswith(".venv/bin/"):
        assert (Path(sys.executable).parent / tool).is_file()
        assert all((TOP / word).exists() for word in words if word.startswith("market_pipeline"))
    else:
        assert block.reason_not_run, f"{block}: no test runs {tool!r}, so it needs <!-- not run: reason -->"


def assert_parsed(words: list[str]) -> None:
    """Click accepts the words; assets exist."""
    context = main.make_context("market-pipeline", words[1:2])
    name, command, _ = main.resolve_command(context, words[1:2])
    assert command is not None
    try:
        parsed = command.make_context(name, words[2:], parent=context)
    except click.UsageError as error:
        pytest.fail(f"{' '.join(words)}: {error.format_message()}")
    except click.exceptions.Exit:  # --help
        return
    assets = parsed.params.get("assets") or ""
    assert set(filter(None, assets.split(","))) <= set(ASSETS)


def assert_targets(words: list[str]) -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets
    assert {word for word in words if "=" not in word} <= set(targets[1].split())


def run(words: list[str]) -> None:
    """Run it in this process; only `doctor` may end with 1, because the data is not up to date."""
    allowed = {0, 1} if words[0] == "doctor" else {0}
    try:
        main.main(words)  # as in a console, it raises SystemExit
    except SystemExit as left:
        status = left.code
    assert status in allowed, words


def test_few_blocks_are_not_run_and_each_has_a_reason() -> None:
    not_run = [block for block in BLOCKS if block.reason_not_run]
    assert all(len(block.reason_not_run.split()) > 2 for block in not_run)
    assert len(not_run) < len(BLOCKS) / 4
