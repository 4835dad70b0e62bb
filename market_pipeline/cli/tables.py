"""Tables of forecasts and verdicts in a terminal."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import pyarrow as pa
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from market_pipeline.mart.report.sentences import price
from market_pipeline.scores.verdicts import SURVIVORSHIP
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import BASELINE, TAIL_LEVELS

Row: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = str | Text
"""A str may have Rich's markup; what a file or a vendor has spelt is a Text, which is printed as it is."""

ARROWS = {"up": "[green]▲ up[/]", "down": "[red]▼ down[/]", "flat": "[dim]● flat[/]"}
LABELS = {
    "beats_baseline": "[bold green]beats baseline[/]",
    "no_evidence": "no evidence",
    "worse": "[red]worse[/]",
    "insufficient_data": "[dim]insufficient data[/]",
}
SHORT = LABELS | {"beats_baseline": "[bold green]beats[/]", "insufficient_data": "[dim]insufficient[/]"}
"""For a narrow terminal, where a title or an explanation names the baseline."""

EXPLANATIONS = {
    "beats_baseline": "On {question}, this model has beaten the random walk out of sample: market-pipeline verdicts "
    "shows by how much.",
    "worse": "On {question}, this model beat the random walk before, but is worse by now: do not rely on it.",
    "no_evidence": "No model has beaten the random walk here on return, direction or range, so its forecast is "
    "published: read the range, not the trend.",
    "kept": "On {question}, this model beat the random walk before and stays selected, though its evidence is thin by "
    "now.",
    "insufficient_data": "Too few forecasts have been scored to judge; until then the random walk is published.",
}

OF_PORTFOLIOS = ("P(gain)", "1 of 40 below", "mean then")
RIGHT = ("P(up)", "expected", "80 % range", *(f"{100 * level:g} %" for level in TAIL_LEVELS), *OF_PORTFOLIOS)
"""Columns of numbers."""

SAME = 5e-4
"""A skill that is printed as 0.0 %."""


def print_signals(console: Console, signals: pa.Table) -> None:
    """One line per symbol and horizon: trend, chance of a rise, range, model and verdict.

    On a narrow terminal the title has the day that all lines of a market share, so that no cell is cut.
    """
    rows = signals.to_pylist()
    closes = sorted({(row["market"], str(row["as_of"])) for row in rows})
    one_day = len(closes) == len({market for market, _ in closes})

    def table(*, narrow: bool) -> Table:
        in_title = narrow and one_day
        days = f" at the close of {', '.join(f'{day} ({market})' for market, day in closes)}" if in_title else ""
        cells = [
            {"symbol": Text(row["symbol"])}
            | ({} if in_title else {"as of": str(row["as_of"])})
            | _outlook(
                row,
                f"{simple_returns(row['expected_return']):+.2%}",
                f"{simple_returns(row['low_80']):+.1%} … {simple_returns(row['high_80']):+.1%}",
                narrow=narrow,
            )
            for row in rows
        ]
        return table_of(f"Forecasts{days}", cells, narrow=narrow)

    print_fitting(console, table)


def print_forecast(console: Console, rows: pa.Table) -> None:
    """One symbol: its range of prices at each horizon, and whether to believe it."""
    signals = rows.to_pylist()
    first = signals[0]
    heading = f" ({first['market']}) at the close of {first['as_of']}: {price(first['close'])}\n"
    console.print(Text.assemble((first["symbol"], "bold"), heading))

    def table(*, narrow: bool) -> Table:
        cells = []
        for row in signals:
            expected = price(row["expected_price"]) + (
                "" if narrow else f" ({simple_returns(row['expected_return']):+.2%})"
            )
            interval = f"{price(row['low_price'])} … {price(row['high_price'])}"
            cells.append(_outlook(row, expected, interval, narrow=narrow))
        return table_of("", cells, narrow=narrow)

    print_fitting(console, table)
    horizons: dict[str, list[str]] = {}
    for row in signals:
        kept = row["verdict"] == "no_evidence" and row["model"] != BASELINE
        explanation = EXPLANATIONS["kept" if kept else row["verdict"]].format(
            question=row.get("question") or "one question"
        )
        horizons.setdefault(explanation, []).append(str(row["horizon"]))
    for explanation, steps in horizons.items():
        where = f"{', '.join(steps)} session{'s' * (steps != ['1'])}: " if len(horizons) > 1 else ""
        console.print(f"\n{where}{explanation}")


def print_verdicts(console: Console, leaderboard: pa.Table) -> None:
    """One line per market, model and question, with the skill and verdict at each horizon.

    Where a model forecasts the same as the random walk there is nothing to judge, and no line. On a narrow terminal
    each market has a table of its own.
    """
    title = "\nVerdicts: skill against the random walk"
    rows = [row for row in leaderboard.to_pylist() if row["model"] != BASELINE]
    compared: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        compared.setdefault((row["market"], row["model"], row["question"]), []).append(row)
    judged = [of_key for of_key in compared.values() if not _same_as_baseline(of_key)]
    horizons = sorted({row["horizon"] for of_key in judged for row in of_key})
    wide = table_of(title, [_skills(of_key, horizons, narrow=False) for of_key in judged], narrow=False)
    if fits(console, wide):
        console.print(wide)
    else:
        for market, of_market in groupby(judged, lambda of_key: of_key[0]["market"]):
            cells = [_skills(of_key, horizons, narrow=True) for of_key in of_market]
            console.print(table_of(f"{title}, {market}", cells, narrow=True))
    if left_out := len(rows) - sum(map(len, judged)):
        console.print(f"[dim]Left out: {left_out} comparisons in which a model forecasts as the random walk does.[/]")
    console.print(f"[dim]{SURVIVORSHIP}[/]")


def _skills(rows: Sequence[Row], horizons: Sequence[int], *, narrow: bool) -> dict[str, str]:
    """The cells of one model and question; in a narrow table the title names the market."""
    names = {name: rows[0][name] for name in ("market", "model", "question")[narrow:]}
    labels, gap = (SHORT, " ") if narrow else (LABELS, "  ")
    cells = {row["horizon"]: f"{_skill(row['skill'])}{gap}{labels[row['verdict']]}" for row in rows}
    return names | {f"{steps} session{'s' * (steps > 1)}": cells.get(steps, "") for steps in horizons}


def _skill(skill: float | None) -> str:
    if skill is None:
        return "     –"
    return f"{skill:+6.1%}" if abs(skill) < 1 else f"{skill:+6.0%}"


def _same_as_baseline(rows: Sequence[Row]) -> bool:
    """Whether the model makes no claim on this question, and its losses are those of the random walk."""
    from market_pipeline.models.forecasters.catalogue import claims_of

    return all(
        row["skill"] is not None and abs(row["skill"]) < SAME and row["question"] not in claims_of(row["model"])
        for row in rows
    )


def _outlook(row: Row, expected: str, interval: str, *, narrow: bool) -> dict[str, Cell]:
    return {
        "ahead" if narrow else "sessions": str(row["horizon"]),
        "trend": ARROWS[row["trend"]],
        "P(up)": f"{row['p_up']:.0%}",
        "expected": expected,
        "80 % range": interval,
        "model": row["model"],
        "verdict": verdict_of(row, narrow=narrow),
    }


def verdict_of(row: Row, *, narrow: bool) -> str:
    """A verdict with the question that it is about; the random walk's is about all that a signal answers."""
    label = (SHORT if narrow else LABELS)[row["verdict"]]
    if question := row.get("question"):
        return f"{question}: {label}"
    if row["model"] != BASELINE:  # a mart of an earlier version names no question
        return label
    return f"any: {label}" if narrow else f"{label} on any question"


def table_of(title: str, rows: Sequence[Mapping[str, Cell]], *, narrow: bool) -> Table:
    """A table of cells by their column; all rows have the same columns."""
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if narrow else (0, 1),
    )
    for name in rows[0] if rows else ():
        # On a narrow terminal the verdict alone takes a second line: "direction: beats" below a long symbol.
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "verdict")
    for row in rows:
        table.add_row(*row.values())
    return table


def print_fitting(console: Console, table: Callable[..., Table]) -> None:
    """Print the wide table if it fits, else the narrow one."""
    wide = table(narrow=False)
    console.print(wide if fits(console, wide) else table(narrow=True))


def fits(console: Console, table: Table) -> bool:
    """Whether a table is no wider than the terminal."""
    return Measurement.get(console, console.options.update(max_width=1000), table).maximum <= console.width
