"""How forecasts and verdicts look in a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from market_pipeline.mart.sentences import price
from market_pipeline.models.catalogue import BASELINE, claims_of
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
"""For a table whose title names the random walk, on a terminal of 100 columns."""

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
    """One line per symbol and horizon: trend, chance of a rise, range, and who says so."""
    table = Table(title="Forecasts", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("symbol", "as of", "sessions"):
        table.add_column(name)
    for name in ("trend", "P(up)", "expected", "80 % range", "model", "verdict"):
        table.add_column(name, justify="right" if name in ("P(up)", "expected", "80 % range") else "left")
    for row in signals.to_pylist():
        table.add_row(
            row["symbol"],
            str(row["as_of"]),
            str(row["horizon"]),
            ARROWS[row["trend"]],
            f"{row['p_up']:.0%}",
            f"{row['expected_return']:+.2%}",
            f"{row['low_80']:+.1%} … {row['high_80']:+.1%}",
            row["model"],
            VERDICTS[row["verdict"]],
        )
    console.print(table)


def print_verdicts(console: Console, leaderboard: pa.Table) -> None:
    """One line per market, model and question, with the skill and verdict at each horizon.

    Where a model says what the walk says there is nothing to judge, and no line.
    """
    rows = [row for row in leaderboard.to_pylist() if row["model"] != "random_walk"]
    horizons = sorted({row["horizon"] for row in rows})
    table = Table(
        title="\nVerdicts: skill against the random walk",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for name in ("market", "model", "question", *(_sessions(horizon) for horizon in horizons)):
        table.add_column(name)
    echoes = 0
    for key in dict.fromkeys((row["market"], row["model"], row["question"]) for row in rows):
        contests = [row for row in rows if (row["market"], row["model"], row["question"]) == key]
        if _echoes_the_walk(contests):
            echoes += len(contests)
            continue
        cells = {row["horizon"]: f"{_skill(row['skill'])}  {SHORT[row['verdict']]}" for row in contests}
        table.add_row(*key, *(cells.get(horizon, "") for horizon in horizons))
    console.print(table)
    if echoes:
        console.print(f"[dim]Left out: {echoes} contests in which a model says what the random walk says.[/]")
    console.print(f"[dim]{SURVIVORSHIP}[/]")


def print_forecast(console: Console, rows: pa.Table) -> None:
    """One symbol: where it may be at each horizon, in prices, and whether to believe it."""
    signals = rows.to_pylist()
    first = signals[0]
    console.print(
        f"[bold]{first['symbol']}[/] ({first['market']}) at the close of {first['as_of']}: {price(first['close'])}\n"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("sessions", "trend", "P(up)", "expected", "80 % range", "model", "verdict"):
        table.add_column(name)
    for row in signals:
        table.add_row(
            str(row["horizon"]),
            ARROWS[row["trend"]],
            f"{row['p_up']:.0%}",
            f"{price(row['expected_price'])} ({row['expected_return']:+.2%})",
            f"{price(row['low_price'])} … {price(row['high_price'])}",
            row["model"],
            VERDICTS[row["verdict"]],
        )
    console.print(table)
    standings = [_standing(row) for row in signals]
    for standing in _in_order(standings):
        where = [str(row["horizon"]) for row, its in zip(signals, standings, strict=True) if its == standing]
        whose = f"{', '.join(where)} session{'s' if where != ['1'] else ''}: " if len(where) < len(signals) else ""
        console.print(f"\n{whose}{SENTENCES[standing]}")


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
