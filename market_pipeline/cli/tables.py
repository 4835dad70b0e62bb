"""How forecasts and verdicts look in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from market_pipeline.mart.report.sentences import price
from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.scores.verdicts import SURVIVORSHIP

ARROWS = {"up": "[green]▲ up[/]", "down": "[red]▼ down[/]", "flat": "[dim]● flat[/]"}
VERDICTS = {
    "beats_baseline": "[bold green]beats the random walk[/]",
    "no_evidence": "no evidence",
    "worse": "[red]worse than the random walk[/]",
    "insufficient_data": "[dim]too little data[/]",
}
SHORT = VERDICTS | {
    "beats_baseline": "[bold green]beats it[/]",
    "worse": "[red]worse[/]",
    "insufficient_data": "[dim]too early[/]",
}
"""For a table whose title names the random walk, or a narrow terminal."""

TITLE = "\nVerdicts: skill against the random walk"

ECHO = 5e-4
"""A skill that is shown as 0.0 %."""

SENTENCES = {
    "beats_baseline": "This model has beaten the random walk out of sample: market-pipeline verdicts says on what, "
    "and by how much.",
    "no_evidence": "Nothing has beaten the random walk here, so it is what is served: read the range, not the trend.",
    "kept": "The model named here beat the random walk before and keeps its place, though by now the evidence is thin.",
    "insufficient_data": "Too few forecasts have come due to judge; until then the random walk is served.",
}


def print_signals(console: Console, signals: pa.Table) -> None:
    """One line per symbol and horizon: trend, chance of a rise, range, and who says so.

    Where the terminal is too narrow, the title has what all lines of a market have in common, so that no cell is cut.
    """
    rows = signals.to_pylist()
    wide = _signals(rows, narrow=False)
    console.print(wide if _fits(console, wide) else _signals(rows, narrow=True))


def _signals(rows: Sequence[Mapping[str, Any]], *, narrow: bool) -> Table:
    closes = sorted({(row["market"], str(row["as_of"])) for row in rows})
    dated = not narrow or len(closes) > len({market for market, _ in closes})
    told = "" if dated else f" at the close of {', '.join(f'{day} ({market})' for market, day in closes)}"
    table = _table(f"Forecasts{told}", narrow=narrow)
    for name in ("symbol", *(("as of",) if dated else ()), "sessions"):
        table.add_column(name)
    for name in ("trend", "P(up)", "expected", "80 % range", "model", "verdict"):
        table.add_column(name, justify="right" if name in ("P(up)", "expected", "80 % range") else "left")
    for row in rows:
        table.add_row(
            row["symbol"],
            *((str(row["as_of"]),) if dated else ()),
            str(row["horizon"]),
            ARROWS[row["trend"]],
            f"{row['p_up']:.0%}",
            f"{row['expected_return']:+.2%}",
            f"{row['low_80']:+.1%} … {row['high_80']:+.1%}",
            row["model"],
            (SHORT if narrow else VERDICTS)[row["verdict"]],
        )
    return table


def print_verdicts(console: Console, leaderboard: pa.Table) -> None:
    """One line per market, model and question, with the skill and verdict at each horizon.

    Where a model says what the walk says there is nothing to judge, and no line. Where the terminal is too narrow, each
    market has a table of its own.
    """
    rows = [row for row in leaderboard.to_pylist() if row["model"] != "random_walk"]
    contests: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        contests.setdefault((row["market"], row["model"], row["question"]), []).append(row)
    told = {key: its for key, its in contests.items() if not _echoes_the_walk(its)}
    wide = _verdicts(TITLE, told, narrow=False)
    if _fits(console, wide):
        console.print(wide)
    else:
        for market in _in_order(key[0] for key in told):
            of_it = {key[1:]: its for key, its in told.items() if key[0] == market}
            console.print(_verdicts(f"{TITLE}, {market}", of_it, narrow=True))
    if echoes := len(rows) - sum(map(len, told.values())):
        console.print(f"[dim]Left out: {echoes} contests in which a model says what the random walk says.[/]")
    console.print(f"[dim]{SURVIVORSHIP}[/]")


def _verdicts(title: str, told: Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]], *, narrow: bool) -> Table:
    horizons = sorted({row["horizon"] for contests in told.values() for row in contests})
    table = _table(title, narrow=narrow)
    for name in (*(() if narrow else ("market",)), "model", "question", *map(_sessions, horizons)):
        table.add_column(name)
    gap = " " if narrow else "  "
    for key, contests in told.items():
        cells = {row["horizon"]: f"{_skill(row['skill'])}{gap}{SHORT[row['verdict']]}" for row in contests}
        table.add_row(*key, *(cells.get(horizon, "") for horizon in horizons))
    return table


def print_forecast(console: Console, rows: pa.Table) -> None:
    """One symbol: where it may be at each horizon, in prices, and whether to believe it."""
    signals = rows.to_pylist()
    first = signals[0]
    console.print(
        f"[bold]{first['symbol']}[/] ({first['market']}) at the close of {first['as_of']}: {price(first['close'])}\n"
    )
    wide = _prices(signals, narrow=False)
    console.print(wide if _fits(console, wide) else _prices(signals, narrow=True))
    standings = [_standing(row) for row in signals]
    for standing in _in_order(standings):
        where = [str(row["horizon"]) for row, its in zip(signals, standings, strict=True) if its == standing]
        whose = f"{', '.join(where)} session{'s' if where != ['1'] else ''}: " if len(where) < len(signals) else ""
        console.print(f"\n{whose}{SENTENCES[standing]}")


def _prices(signals: Sequence[Mapping[str, Any]], *, narrow: bool) -> Table:
    table = _table("", narrow=narrow)
    for name in ("sessions", "trend", "P(up)", "expected", "80 % range", "model", "verdict"):
        table.add_column(name)
    for row in signals:
        table.add_row(
            str(row["horizon"]),
            ARROWS[row["trend"]],
            f"{row['p_up']:.0%}",
            price(row["expected_price"]) + ("" if narrow else f" ({row['expected_return']:+.2%})"),
            f"{price(row['low_price'])} … {price(row['high_price'])}",
            row["model"],
            (SHORT if narrow else VERDICTS)[row["verdict"]],
        )
    return table


def _fits(console: Console, table: Table) -> bool:
    return Measurement.get(console, console.options.update(max_width=1000), table).maximum <= console.width


def _table(title: str, *, narrow: bool) -> Table:
    return Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if narrow else (0, 1),
    )


def _echoes_the_walk(contests: Iterable[Mapping[str, Any]]) -> bool:
    """A question that the model does not claim, and on which its losses are the walk's."""
    return all(
        row["question"] not in claims_of(row["model"]) and row["skill"] is not None and abs(row["skill"]) < ECHO
        for row in contests
    )


def _standing(row: Mapping[str, Any]) -> str:
    """A signal's verdict; "kept" for a champion that is served though its verdict has faded."""
    faded = row["verdict"] == "no_evidence" and row["model"] != BASELINE
    return "kept" if faded else str(row["verdict"])


def _sessions(horizon: int) -> str:
    return f"{horizon} session{'s' if horizon > 1 else ''}"


def _skill(skill: float | None) -> str:
    if skill is None:
        return "     –"
    return f"{skill:+6.1%}" if abs(skill) < 1 else f"{skill:+6.0%}"


def _in_order(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
