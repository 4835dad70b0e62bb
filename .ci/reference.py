"""The reference pages, made from the code at each build: what is listed here cannot go stale.

Knows the package's commands, settings, tables, assets, checks and indicators; nothing of MkDocs.
"""

import datetime as dt
import inspect
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from pathlib import Path

import click
import dagster as dg

from market_pipeline import mart
from market_pipeline.cli.main import main
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import load_markets, packaged_config
from market_pipeline.config.settings import SOURCES, Settings
from market_pipeline.definitions import assets_of, build_definitions, checks_of
from market_pipeline.storage.tables.indicators import INDICATORS
from market_pipeline.mart.assets import mart_asset
from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline.models.forecasters.catalogue import ENSEMBLE, FORECASTERS, JOINT, MEMBERS, claims_of
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.warehouse import Warehouse

COLUMNS = """
select c.table_name as name, column_name, data_type, is_nullable, c.comment
from duckdb_columns() c where not c.internal and schema_name = 'main' order by table_name, column_index
"""
ABOUT = """
select table_name as name, comment from duckdb_tables() where not internal
union all select view_name, comment from duckdb_views() where not internal order by name
"""
SHARED = {
    "market": "Name of the market in the configuration",
    "symbol": "Symbol as the source spells it",
    "session": "Trading day of the market's calendar",
    "model": "Forecaster, as the page of models spells it",
    "horizon": "Sessions ahead",
    "origin": "Session at whose close the forecast is made",
    "target_session": "Session the forecast is for",
}
"""What columns that recur mean where the table itself does not say."""

SETTINGS = {
    "MARKET_PIPELINE_HOME": ("`./data`", "The folder of `warehouse.duckdb`, `mart.duckdb`, `models/`, `report.html`, "
                             "`dagster/`. One home holds data of one source."),
    "MARKET_PIPELINE_SOURCE": ("what the home was made with, else `yahoo`", "Where prices come from: "
                               + ", ".join(f"`{source}`" for source in SOURCES) + "."),
    "MARKET_PIPELINE_FILES": ("", "The folder of CSV or Parquet files that the `files` source reads."),
    "MARKET_PIPELINE_CONFIG": ("the packaged universe", "A TOML file of markets; its keys are below."),
    "MARKET_PIPELINE_MODELS": ("the house's own alone", "Models of yours, each `my_module:MODEL` or "
                               "`/path/to/file.py:MODEL`, with spaces between."),
    "MARKET_PIPELINE_TRACEBACK": ("not shown", "Set to 1, an error that is the program's own shows where it happened."),
    "MARKET_PIPELINE_ALERTS": ("nobody is told", "Addresses of Apprise, with spaces between."),
}  # fmt: skip
"""Each variable: what holds when it is unset, and what it says. A test compares the names with the code."""

KEYS = {
    "calendar": ('`"XNYS"`', "Any name of exchange_calendars; `24/7` for coins. Needed."),
    "start": ("`2018-01-02`", "The first day that is wanted. Needed."),
    "symbols": ('`["AAPL"]`', "Names as the source spells them. Needed."),
    "listed": ("`{NEW = 2024-03-01}`", "No bar of the symbol is expected before its day."),
    "delisted": ("`{OLD = 2022-10-27}`", "No bar of the symbol is expected after its day."),
    "accepted_holes": ('`{"SAP.DE" = [2020-07-01]}`', "Sessions of a symbol that nobody asks for again."),
    "schedule_hour": ("`4`", "Local hour of the daily run, from 3 for `24/7`."),
    "settle_minutes": ("`60`", "A bar is final this many minutes after its session closed."),
    "absurd_factor": ("`5.0`", "A close this many times above or below its recent median is held back."),
    "exchange": ('`"coinbaseexchange"`', "Which exchange the `exchange` source asks, as ccxt names it."),
    "cross_check": ('`"bitstamp"`', "Whose closes the stored ones are held against. Unset: nobody's."),
    "cross_check_tolerance": ("`0.02`", "Share of a close by which the two may differ."),
    "cost_bps": ("`10.0`", "Cost of trading in basis points of the value traded, for `strategies`."),
}
"""Each key of a market's table in the TOML file: an example, which is its default if it has one; its meaning."""


def pages() -> dict[str, str]:
    """Every generated page by its path below docs/."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), source="simulated")
        market, *_ = load_markets(packaged_config("simulated"))
        return {
            "reference/assets.md": assets(settings, market),
            "reference/checks.md": checks(market),
            "reference/commands.md": commands(),
            "reference/indicators.md": indicators(),
            "reference/models.md": models(),
            "reference/reading.md": reading(),
            "reference/settings.md": settings_page(),
            "reference/tables.md": tables(settings),
        }


def commands() -> str:
    """Every command with its arguments and options, as click knows them."""
    parts = [
        "# Commands",
        "Every command ends with exit status 0, or with one paragraph that names the cause and the mend. `make demo`, "
        "`make test`, `make ui` and `make docs` make the environment first when there is none.",
    ]
    for name, command in sorted(main.commands.items()):
        context = click.Context(command, info_name=f"market-pipeline {name}")
        parts += [f"## {name}", command.help or "", f"```text\n{command.get_usage(context)}\n```"]
        options = [parameter.get_help_record(context) for parameter in command.params]
        rows = [(f"`{record[0]}`", record[1]) for record in options if record]
        parts += [_table(("option", "what"), rows)] if rows else []
    return _joined(parts)


def settings_page() -> str:
    """The variables of the environment and the keys of the markets file."""
    variables = [(f"`{name}`", what, unset) for name, (unset, what) in SETTINGS.items()]
    keys = [(f"`{name}`", what, example) for name, (example, what) in KEYS.items()]
    return _joined(
        [
            "# Settings",
            "All are variables of the environment, and all are optional; an empty one counts as unset.",
            _table(("setting", "what", "unset"), variables),
            "## The markets file",
            "`MARKET_PIPELINE_CONFIG` names a TOML file. Each table in it is a market, and gets its own assets, "
            "partitions, checks, schedules and sensors. The [tutorial](../tutorials/own-universe.md) makes one.",
            _table(("key", "what", "default or example"), keys),
            "## The packaged universe",
            f"```toml\n{packaged_config('yahoo').read_text(encoding='utf-8')}```",
        ]
    )


def tables(settings: Settings) -> str:
    """The tables of the mart and of the warehouse, from a freshly made house."""
    warehouse = Warehouse(settings.warehouse, settings.source)
    publish(warehouse, load_markets(packaged_config("simulated")), settings.mart, dt.datetime.now(dt.UTC))
    about = {row["name"]: row["comment"] for row in warehouse.read(ABOUT).to_pylist()}
    held = _described(warehouse.read(COLUMNS).to_pylist(), about)
    about |= {row["name"]: row["comment"] or about.get(row["name"]) for row in query(settings.mart, ABOUT).to_pylist()}
    published = _described(query(settings.mart, COLUMNS).to_pylist(), about)
    private = {name: words for name, words in held.items() if name not in published and name != "origin_of_data"}
    return _joined(
        [
            "# Tables",
            "Days are dates of the market's calendar, moments are UTC. Returns are log returns and fractions are not "
            "percent. The same words stand in the file: `select * from duckdb_columns() where comment is not null`.",
            "## The mart",
            "`mart.duckdb`, which readers open read-only. It is replaced in one rename after each run.",
            *published.values(),
            "## Only in the warehouse",
            "`warehouse.duckdb` belongs to the pipeline: while it writes, nobody else can read. It holds the tables "
            "above too, but for `meta`, and these.",
            *private.values(),
        ]
    )


def assets(settings: Settings, market: Market) -> str:
    """The assets of a market and the mart, in the order data flows, then jobs, schedules and sensors."""
    rows = [
        (f"`{_asset_name(asset.key)}`", _partition(asset), spec.description or "",
         ", ".join(f"`{_asset_name(dep.asset_key)}`" for dep in spec.deps))
        for asset in (*assets_of(market), mart_asset([market])) for spec in asset.specs
    ]  # fmt: skip
    definitions = build_definitions(settings)
    automation = [
        ("job", job.name, job.description or "") for job in definitions.jobs or () if job.name.startswith(market.name)
    ]
    for kind, found in (("schedule", definitions.schedules), ("sensor", definitions.sensors)):
        automation += [
            (kind, one.name, one.description or "") for one in found or () if one.name.startswith(market.name)
        ]
    return _joined(
        [
            "# Assets",
            "Every market has this chain, with its name before each asset; the mart joins them.",
            _table(("asset", "partition", "what", "after"), [_generic(row, market) for row in rows]),
            "A market with `cross_check` has one more, `<market>/cross_check`: closes of a second source against the "
            "stored ones, by session.",
            "## Jobs, schedules, sensors",
            "All run while `make ui` runs. `alerts` is there when `MARKET_PIPELINE_ALERTS` is set.",
            _table(("kind", "name", "what"), [_generic((k, f"`{n}`", w), market) for k, n, w in automation]),
        ]
    )


def checks(market: Market) -> str:
    """The checks of a market's assets: sentences that are true when they pass."""
    rows = [
        (f"`{_asset_name(spec.asset_key)}`", spec.name.replace("_", " "), "blocks" if spec.blocking else "warns",
         spec.description or "")
        for check in checks_of(market) for spec in check.check_specs
    ]  # fmt: skip
    return _joined(
        [
            "# Checks",
            "Each is a sentence that is true when it passes, and shows the rows that make it false. One that *blocks* "
            "stops what comes after it in the run; one that *warns* says that data is late or incomplete.",
            _table(("asset", "check", "failing", "what it does"), [_generic(row, market) for row in rows]),
        ]
    )


def indicators() -> str:
    """The catalogue, by family."""
    parts = ["# Indicators", f"{len(INDICATORS)} columns of the table `indicators`, all scale-free: a later split or "
             "dividend changes none. *Lookback* is the number of bars before the first value."]  # fmt: skip
    for family in dict.fromkeys(indicator.family for indicator in INDICATORS):
        rows = [
            (f"`{one.name}`", one.meaning, f"{_bound(one.low)} to {_bound(one.high)}", str(one.lookback))
            for one in INDICATORS
            if one.family == family
        ]
        parts += [f"## {family.capitalize()}", _table(("name", "meaning", "bounds", "lookback"), rows)]
    return _joined(parts)


def models() -> str:
    """Every forecaster with what it is and what it may win on."""
    rows = [(f"`{one.name}`", _what_it_is(one), _claims(one.name)) for one in FORECASTERS]
    rows += [
        (f"`{ENSEMBLE}`", f"The mean of {', '.join(MEMBERS)}, quantile by quantile.", _claims(ENSEMBLE)),
        (f"`{JOINT}`", "All symbols of a market simulated together: ranks only.", _claims(JOINT)),
    ]
    return _joined(
        [
            "# Models",
            "Every model is scored on every question it answers, but serves only where it has won on what it claims. "
            "`random_walk` is the baseline and has no row on the leaderboard.",
            _table(("model", "what it is", "claims"), rows),
        ]
    )


def reading() -> str:
    """The functions that notebooks call."""
    found = {name: one for name, one in vars(mart).items() if inspect.isfunction(one) and not name.startswith("_")}
    parts = ["# Reading in Python", inspect.cleandoc(mart.__doc__ or "")]
    for name, function in found.items():
        signature = str(inspect.signature(function)).replace("'", "").replace("pd.DataFrame", "DataFrame")
        parts += [f"## {name}", f"```text\nmart.{name}{signature}\n```", inspect.cleandoc(function.__doc__ or "")]
    return _joined(parts)


def _what_it_is(model: Forecaster) -> str:
    """The first paragraph of its class, and which volatility it takes where it may choose."""
    words = (type(model).__doc__ or "").split("\n\n")[0]
    volatility = getattr(model, "volatility", None)
    return f"{words} Its volatility: {volatility.__name__.replace('_', ' ')}." if volatility else words


def _claims(model: str) -> str:
    return "nothing: it is the baseline" if model == BASELINE else ", ".join(claims_of(model))


def _described(columns: Sequence[dict[str, str]], about: Mapping[str, str | None]) -> dict[str, str]:
    """A section for each table or view, in the order of names."""
    sections = {}
    for name in sorted({row["name"] for row in columns}):
        rows = [
            (f"`{row['column_name']}`", row["data_type"].lower(), row["comment"] or SHARED.get(row["column_name"], ""))
            for row in columns
            if row["name"] == name
        ]
        body = _table(("column", "type", "what"), rows)
        sections[name] = _joined([f"### {name}", about.get(name) or "", body])
    return sections


def _generic(row: Iterable[str], market: Market) -> tuple[str, ...]:
    """A row about one market as it reads for any."""
    return tuple(cell.replace(market.name, "<market>").replace("XNYS", "<calendar>") for cell in row)


def _asset_name(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def _partition(asset: dg.AssetsDefinition) -> str:
    partitions = asset.partitions_def
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return "none"
    return "month" if partitions.cron_schedule.startswith("0 0 1 ") else "session"


def _bound(value: float) -> str:
    return ("-∞" if value < 0 else "∞") if isinf(value) else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(cell.replace("|", "\\|").replace("<", "&lt;").split()) for cell in line] for line in lines]
    marked = [["".join(_unescaped_code(cell)) for cell in line] for line in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in marked)


def _unescaped_code(cell: str) -> Iterable[str]:
    """Between backticks Markdown escapes by itself."""
    for place, piece in enumerate(cell.split("`")):
        yield f"`{piece.replace('&lt;', '<')}`" if place % 2 else piece


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        print(f"{os.linesep}===== {path}{os.linesep}{text}")  # noqa: T201
