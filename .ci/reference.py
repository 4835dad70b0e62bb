"""The reference pages, generated from the code at each build, so that they are always up to date.

Reads the package's commands, settings, tables, assets, checks and indicators; does not depend on MkDocs.
"""

import inspect
import os
import tempfile
from collections.abc import Iterable, Sequence
from math import isinf
from pathlib import Path

import click
import dagster as dg

from market_pipeline import mart
from market_pipeline.cli.main import main
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import example_of, keys, load_markets, packaged_config, wanted
from market_pipeline.config.settings import Settings, variables
from market_pipeline.definitions import assets_of, build_definitions, checks_of
from market_pipeline.mart.assets import mart_asset
from market_pipeline.models.forecasters.catalogue import ENSEMBLE, FORECASTERS, JOINT, MEMBERS, claims_of
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.storage.catalog import MART, MART_VIEWS, WAREHOUSE, WAREHOUSE_VIEWS
from market_pipeline.storage.schema import Table, View
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.indicators import INDICATORS


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
            "reference/tables.md": tables(),
        }


def commands() -> str:
    """Every command with its arguments and options, read from click."""
    parts = [
        "# Commands",
        "Every command ends with exit status 0, or with an error of one paragraph that names the cause and the fix. "
        "`make demo`, `make test`, `make ui` and `make docs` first create the environment if there is none.",
    ]
    every = dict(main.commands)
    for name, command in main.commands.items():
        if isinstance(command, click.Group):
            every |= {f"{name} {part}": one for part, one in command.commands.items()}
    for name, command in sorted(every.items()):
        context = click.Context(command, info_name=f"market-pipeline {name}")
        parts += [f"## {name}", command.help or "", f"```text\n{command.get_usage(context)}\n```"]
        options = [parameter.get_help_record(context) for parameter in command.params]
        rows = [(f"`{record[0]}`", record[1]) for record in options if record]
        parts += [_table(("option", "what"), rows)] if rows else []
    return _joined(parts)


def settings_page() -> str:
    """The variables of the environment and the keys of the markets file."""
    settings = [(f"`{name}`", meaning) for name, meaning in variables().items()]
    market_keys = [
        (f"`{name}`", key["description"], wanted(key), f"`{example_of(key)}`") for name, key in keys().items()
    ]
    return _joined(
        [
            "# Settings",
            "All settings are environment variables, and all are optional. An empty variable counts as unset.",
            _table(("setting", "what"), settings),
            "## The markets file",
            "`MARKET_PIPELINE_CONFIG` names a TOML file. Each table in it is a market, with its own assets, "
            "partitions, checks, schedules and sensors. The [tutorial](../tutorials/own-universe.md) creates one.",
            _table(("key", "what", "takes", "default or example"), market_keys),
            "## The packaged universe",
            f"```toml\n{packaged_config('yahoo').read_text(encoding='utf-8')}```",
        ]
    )


def tables() -> str:
    """The tables and views of the mart, then those that only the warehouse has, by name."""
    published = {one.name: _declared(one) for one in (*MART.values(), *MART_VIEWS)}
    private = {one.name: _declared(one) for one in (*WAREHOUSE.values(), *WAREHOUSE_VIEWS) if one.name not in MART}
    return _joined(
        [
            "# Tables",
            "Days are dates of the market's calendar, timestamps are UTC. Returns are log returns, and fractions are "
            "not percent. The file has the same texts: `select * from duckdb_columns() where comment is not null`.",
            "## The mart",
            "`mart.duckdb`, which readers open read-only. It is replaced in one rename after each run.",
            *(published[name] for name in sorted(published)),
            "## Only in the warehouse",
            "`warehouse.duckdb` is private to the pipeline: while it writes, no other process can read. It also has "
            "the tables above, except `changes` and `meta`.",
            *(private[name] for name in sorted(private)),
        ]
    )


def assets(settings: Settings, market: Market) -> str:
    """The assets of a market and the mart, in the order of data flow, then jobs, schedules and sensors."""
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
            "Every market has this chain, with its name as the prefix of each asset. The mart combines all markets.",
            _table(("asset", "partition", "what", "after"), [_generic(row, market) for row in rows]),
            "A market with `cross_check` has an additional asset, `<market>/cross_check`. It compares the stored "
            "closes with those of a second source, by session.",
            "## Jobs, schedules, sensors",
            "They run while `make ui` runs. The sensor `alerts` exists when `MARKET_PIPELINE_ALERTS` is set.",
            _table(("kind", "name", "what"), [_generic((k, f"`{n}`", w), market) for k, n, w in automation]),
        ]
    )


def checks(market: Market) -> str:
    """The checks of a market's assets."""
    rows = [
        (f"`{_asset_name(spec.asset_key)}`", spec.name.replace("_", " "), "blocks" if spec.blocking else "warns",
         spec.description or "")
        for check in checks_of(market) for spec in check.check_specs
    ]  # fmt: skip
    return _joined(
        [
            "# Checks",
            "A check is a statement that is true when it passes; a failed check lists the rows that violate it. A "
            "check that *blocks* stops later steps of the run; a check that *warns* reports late or incomplete data.",
            _table(("asset", "check", "failing", "what it does"), [_generic(row, market) for row in rows]),
        ]
    )


def indicators() -> str:
    """The indicators by family."""
    parts = ["# Indicators", f"{len(INDICATORS)} columns of the table `indicators`, all scale-free: a later split or "
             "dividend changes none. *Lookback* is the number of bars before the first value."]  # fmt: skip
    for family in dict.fromkeys(indicator.family for indicator in INDICATORS):
        rows = [
            (f"`{one.name}`", one.description, f"{_bound(one.low)} to {_bound(one.high)}", str(one.lookback))
            for one in INDICATORS
            if one.family == family
        ]
        parts += [f"## {family.capitalize()}", _table(("name", "meaning", "bounds", "lookback"), rows)]
    return _joined(parts)


def models() -> str:
    """Every forecaster, with its description and its claims."""
    rows = [(f"`{one.name}`", _description(one), _claims(one.name)) for one in FORECASTERS]
    rows += [
        (f"`{ENSEMBLE}`", f"The mean of {', '.join(MEMBERS)}, quantile by quantile.", _claims(ENSEMBLE)),
        (f"`{JOINT}`", "Simulates all symbols of a market together; ranks only.", _claims(JOINT)),
    ]
    return _joined(
        [
            "# Models",
            "Every model is scored on every question it answers. It is published only where it has won on a question "
            "it claims. `random_walk` is the baseline and has no row on the leaderboard.",
            _table(("model", "what it is", "claims"), rows),
        ]
    )


def reading() -> str:
    """The functions for notebooks."""
    found = {name: one for name, one in vars(mart).items() if inspect.isfunction(one) and not name.startswith("_")}
    parts = ["# Reading in Python", inspect.cleandoc(mart.__doc__ or "")]
    for name, function in found.items():
        signature = str(inspect.signature(function)).replace("'", "").replace("pd.DataFrame", "DataFrame")
        parts += [f"## {name}", f"```text\nmart.{name}{signature}\n```", inspect.cleandoc(function.__doc__ or "")]
    return _joined(parts)


def _description(model: Forecaster) -> str:
    """The first paragraph of its class, and the volatility it uses, if that is a parameter."""
    text = (type(model).__doc__ or "").split("\n\n")[0]
    volatility = getattr(model, "volatility", None)
    return f"{text} Its volatility: {volatility.__name__.replace('_', ' ')}." if volatility else text


def _claims(model: str) -> str:
    return "nothing: it is the baseline" if model == BASELINE else ", ".join(claims_of(model))


def _declared(one: Table | View) -> str:
    """The section of a table or view: its description, and its columns where they are declared."""
    rows = [(f"`{column.name}`", column.type, column.description) for column in one.columns if column.published]
    body = [_table(("column", "type", "what"), rows)] if rows else []
    return _joined([f"### {one.name}", one.description, *body])


def _generic(row: Iterable[str], market: Market) -> tuple[str, ...]:
    """A row about one market, rewritten for any market."""
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
    """Between backticks Markdown needs no escapes."""
    for place, piece in enumerate(cell.split("`")):
        yield f"`{piece.replace('&lt;', '<')}`" if place % 2 else piece


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        print(f"{os.linesep}===== {path}{os.linesep}{text}")  # noqa: T201
