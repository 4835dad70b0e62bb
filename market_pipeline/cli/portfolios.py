"""Portfolios in a terminal: what they may lose, in money where holdings are given, and what each symbol adds."""

from collections.abc import Sequence
from functools import partial

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from market_pipeline.cli.tables import Row, print_fitting, table_of, verdict_of
from market_pipeline.storage.tables.portfolios import CONSTANT

EXPLANATIONS = {
    "beats_baseline": "The ranges of this joint model have been better than those of constant correlations, on "
    "portfolios that nobody chose.",
    "no_evidence": "No joint model has been better than constant correlations on portfolios that nobody chose, beyond "
    "luck: these are the plainest numbers there are.",
    "kept": "This joint model was better than constant correlations before and stays selected, though its evidence is "
    "thin by now.",
    "worse": "This joint model was better than constant correlations before, but is worse by now.",
    "insufficient_data": "Too few forecasts of portfolios have been scored to judge them.",
}


def print_portfolio(console: Console, rows: pa.Table, parts: pa.Table) -> None:
    """One portfolio: its range and losses at each horizon, the part of each symbol, and whether to believe it."""
    shown, added = rows.to_pylist(), parts.to_pylist()
    for market in dict.fromkeys(row["market"] for row in shown):
        of_market = [row for row in shown if row["market"] == market]
        first = of_market[0]
        worth = f", positions of {first['capital']:,.2f} in all" if first["capital"] else ""
        heading = f" ({market}) at the close of {first['origin']}{worth}\n"
        console.print(Text.assemble((first["portfolio"], "bold"), heading))
        print_fitting(console, partial(_numbers, of_market))
        console.print(_parts(of_market, [row for row in added if row["market"] == market]))
        for row in of_market:
            console.print(f"\n{_sessions(row['horizon'])}: {_sentence(row)}", markup=False)


def line_of(row: Row) -> str:
    """One portfolio at one horizon as a sentence."""
    return f"{row['portfolio']} over {_sessions(row['horizon'])}: {_loss(row)}."


def _loss(row: Row) -> str:
    if row["es_025"] is None:
        return f"an 80 % range of {row['q10']:+.1%} to {row['q90']:+.1%}; too few past errors for the worst cases"
    return f"in the worst 1 of 40 cases it loses {_amount(-row['es_025'], row['capital'])} on average"


def _sentence(row: Row) -> str:
    """What may be lost, what diversification saves, and the verdict."""
    kept = row["verdict"] == "no_evidence" and row["model"] != CONSTANT
    parts = [_loss(row)]
    if row["es_025"] and row["single_es_025"]:
        saved = 1 - row["es_025"] / row["single_es_025"]
        parts.append(f"; holding these positions together instead of each alone saves {saved:.0%} of that loss")
    return f"{''.join(parts)}. {EXPLANATIONS['kept' if kept else row['verdict']]}"


def _numbers(rows: Sequence[Row], *, narrow: bool) -> Table:
    """One line per horizon."""
    cells = [
        {
            "ahead" if narrow else "sessions": str(row["horizon"]),
            "P(gain)": f"{row['p_up']:.0%}",
            "80 % range": f"{row['q10']:+.1%} … {row['q90']:+.1%}",
            "1 of 40 below": _amount(row["var_025"], row["capital"], sign="+"),
            "mean then": _amount(row["es_025"], row["capital"], sign="+"),
            "model": row["model"],
            "verdict": verdict_of(row, narrow=narrow),
        }
        for row in rows
    ]
    return table_of("", cells, narrow=narrow)


def _parts(rows: Sequence[Row], parts: Sequence[Row]) -> Table:
    """Each symbol with its weight, and its part of the loss at each horizon."""
    title = "\nWhat each symbol adds to the loss in the worst 1 of 40 cases"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))
    selected = {(row["horizon"], row["model"]) for row in rows}
    horizons = sorted(horizon for horizon, _ in selected)
    table.add_column("symbol", no_wrap=True)
    for name in ("weight", *map(_sessions, horizons)):
        table.add_column(name, justify="right", no_wrap=True)
    by_symbol = dict[str, dict[int, Row]]()
    for part in parts:
        if (part["horizon"], part["model"]) in selected:
            by_symbol.setdefault(part["symbol"], {})[part["horizon"]] = part
    capital = rows[0]["capital"]
    for symbol, found in by_symbol.items():
        weight = next(iter(found.values()))["weight"]
        cells = (_amount(found[steps]["es_025"], capital, sign="+") if steps in found else "" for steps in horizons)
        table.add_row(Text(symbol), f"{weight:+.1%}", *cells)
    return table


def _amount(share: float | None, capital: float | None, sign: str = "") -> str:
    """A share of the capital in per cent, and in money where the capital is known; a dash where there is no number.

    >>> _amount(-0.031, 12_000.0, "+"), _amount(0.031, None)
    ('-3.1% (-372)', '3.1%')
    """
    if share is None:
        return "–"
    money = f" ({share * capital:{sign},.0f})" if capital else ""
    return f"{share:{sign}.1%}{money}"


def _sessions(steps: int) -> str:
    return f"{steps} session{'s' * (steps > 1)}"
