"""The tools for agents, called as a client calls them: what they answer, and what they refuse."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.agent_server import agent_server
from market_pipeline.mart.guarded import MOST_BYTES, MOST_ROWS, select
from market_pipeline_tests.mart.small_mart import FULL, report_of

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_of(tmp_path_factory.mktemp("mart"), *FULL).with_name("mart.duckdb")


@pytest.fixture
def call(mart: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a tool through the protocol; the JSON of its answer, or the text of its error."""
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(mart.parent))

    def called(tool: str, **arguments: Any) -> Any:
        return asyncio.run(_called(agent_server(), tool, arguments))

    return called


async def _called(server: Any, tool: str, arguments: Mapping[str, Any]) -> Any:
    async with Client(server) as client:
        result = await client.call_tool(tool, dict(arguments))
        text = result.content[0].text  # type: ignore[union-attr]
        return text if result.is_error else json.loads(text)


def test_an_agent_finds_its_way_from_the_tables_to_a_verdict(call: Call) -> None:
    names = {table["name"] for table in call("list_tables")}
    assert {"prices", "forecasts", "leaderboard", "forecast_prices", "meta"} <= names
    described = call("describe_table", name="signals")
    assert described["key"] == ["market", "symbol", "horizon"]
    assert all(column["description"] for column in described["columns"])
    [meta] = call("freshness")
    assert meta["source"] == "files"
    assert meta["sessions_behind"] > 0
    assert {row["symbol"] for row in call("forecast", symbol="aaa")} == {"AAA"}
    assert {"question", "verdict", "p_adjusted"} <= call("verdicts")[0].keys()
    answer = call("query", sql="select symbol, max(close) as most from prices group by all order by all", most_rows=1)
    assert [len(answer["rows"]), answer["complete"]] == [1, False]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("insert into meta select * from meta", "the query has INSERT"),
        ("create temp table t as select 1", "the query has CREATE"),
        ("drop table prices", "the query has DROP"),
        ("copy prices to '{folder}/prices.csv'", "the query has COPY"),
        ("attach '{folder}/other.duckdb'", "the query has ATTACH"),
        ("install httpfs", "the query has LOAD"),
        ("load httpfs", "the query has LOAD"),
        ("set enable_external_access = true", "the query has SET"),
        ("select 1; drop table prices", "the query has SELECT, DROP"),
        ("", "the query has nothing"),
        ("selec 1", "syntax error"),
        ("from read_csv('{folder}/secret.csv')", "file system operations are disabled"),
        ("from '{folder}/secret.csv'", "file system operations are disabled"),
        ("from read_text('/etc/hostname')", "file system operations are disabled"),
        ("from glob('{folder}/*')", "file system operations are disabled"),
        ("from read_parquet('https://127.0.0.1/x.parquet')", "disabled"),
        ("select repeat('x', 3000000) as text", "3.0 MB"),
    ],
)  # fmt: skip
def test_what_a_query_may_not_do_is_refused(call: Call, mart: Path, tmp_path: Path, sql: str, message: str) -> None:
    (tmp_path / "secret.csv").write_text("password\nswordfish\n")
    before = mart.read_bytes()
    answer = call("query", sql=sql.format(folder=tmp_path))
    assert isinstance(answer, str), answer
    assert message in answer
    assert "swordfish" not in answer
    assert mart.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_a_query_ends_when_its_time_is_up(mart: Path) -> None:
    endless = "select count(*) from range(1000000) a, range(1000000) b where hash(a.range, b.range) = 1"
    with pytest.raises(MarketPipelineError, match=r"longer than 0\.2 seconds"):
        select(mart, endless, seconds=0.2)


def test_limits_hold(mart: Path) -> None:
    rows, complete = select(mart, "from range(5)", 5)
    assert rows.num_rows == 5
    assert complete
    assert select(mart, "from range(6)", 5).complete is False
    for wrong in (0, MOST_ROWS + 1):
        with pytest.raises(MarketPipelineError, match="Ask for 1 to"):
            select(mart, "from range(5)", wrong)
    with pytest.raises(MarketPipelineError, match=r"Out of Memory|longer than"):
        select(mart, "select list(r) from range(1000000000) t(r)", seconds=3)
    with pytest.raises(MarketPipelineError, match="are allowed"):
        select(mart, f"select repeat('x', {MOST_BYTES // 4}) from range(8)")


def test_numbers_that_json_lacks_are_null(call: Call) -> None:
    [row] = call(
        "query", sql="select 'nan'::double as a, 'inf'::double as b, 1.5::double as c, date '2024-01-02' as d"
    )["rows"]
    assert row == {"a": None, "b": None, "c": 1.5, "d": "2024-01-02"}


def test_a_missing_mart_or_symbol_is_an_error_with_its_fix(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no forecast of 'AA'" in call("forecast", symbol="AA")
    assert "Call list_tables" in call("describe_table", name="price")
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path))
    assert "Fill it first" in call("verdicts")
    assert "Fill it first" in call("query", sql="select 1")


def test_the_command_serves_a_client_over_its_standard_streams(mart: Path) -> None:
    environment = {**os.environ, "MARKET_PIPELINE_HOME": str(mart.parent)}
    line = ["-c", "from market_pipeline.cli.main import main; main()", "agents"]

    async def tools() -> tuple[set[str], bool, str]:
        async with Client(
            stdio_client(StdioServerParameters(command=sys.executable, args=line, env=environment))
        ) as client:
            listed = (await client.list_tools()).tools
            result = await client.call_tool("query", {"sql": "select count(*) as n from prices"})
            read_only = all(tool.annotations and tool.annotations.read_only_hint for tool in listed)
            return {tool.name for tool in listed}, read_only, result.content[0].text  # type: ignore[union-attr]

    names, read_only, text = asyncio.run(tools())
    assert names == {"freshness", "forecast", "verdicts", "list_tables", "describe_table", "query"}
    assert read_only
    assert json.loads(text)["rows"][0]["n"] > 0


def test_the_mart_stays_readable_for_others(mart: Path) -> None:
    select(mart, "select 1")
    with duckdb.connect(str(mart), read_only=True) as connection:
        assert connection.execute("select count(*) > 0 from prices").fetchone() == (True,)
