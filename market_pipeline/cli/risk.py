"""The command `risk`: what may be lost with symbols and portfolios, and whether that number was ever better."""

from typing import TYPE_CHECKING, Any

import click

from market_pipeline.cli.completion import symbol_names
from market_pipeline.cli.read import printed_for_script
from market_pipeline.cli.rows import PORTFOLIO_ORDERS, RISK_ORDERS, narrowed, row_options
from market_pipeline.cli.tables import Cell, Row, print_fitting, table_of, verdict_of
from market_pipeline.cli.terminal import command, console_on
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import BASELINE, TAILS_AT

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from rich.console import Console

EXPLANATIONS = {
    "beats_baseline": "These tails have been better than the random walk's, out of sample and by more than luck.",
    "no_evidence": "No model's tails had been better than the random walk's by more than luck when models were last "
    "reviewed, at a month's end: these are a careful estimate, and no more.",
    "kept": "These tails were better than the random walk's before and stay selected, though their evidence is thin by "
    "now.",
    "worse": "These tails were better than the random walk's before, but are worse by now: do not rely on them.",
    "insufficient_data": "Too few forecasts have been scored to judge these tails.",
}

LEFT_OUT_NARROW = "05"
"""The level that a narrow terminal leaves out."""


@command(
    "market-pipeline risk AAPL",
    "market-pipeline risk mine",
    "market-pipeline risk --market stocks --horizon 5 --sort shortfall --limit 10",
    "market-pipeline risk AAPL --json | jq '.[] | {horizon, var_025, es_025, verdict}'",
)
@click.argument("name", metavar="[SYMBOL or PORTFOLIO]", required=False, shell_complete=symbol_names)
@row_options(RISK_ORDERS)
def risk(name: str | None, *, csv_wanted: bool, json_wanted: bool, **wanted: Any) -> None:
    """Print what may be lost with one symbol or portfolio, or with each, over 1, 5 and 20 sessions.

    The value at risk is the loss that is exceeded with the stated chance, the shortfall the mean of what lies beyond.
    A verdict names its question: that on the tail is not about the 80 % range. Per cents are simple returns from the
    newest close. In JSON and CSV, returns are log returns.
    """
    from market_pipeline.mart.portfolios import read_portfolio_names
    from market_pipeline.mart.read import read_risk
    from market_pipeline.storage.publication import published

    mart = published().newest()
    portfolios = read_portfolio_names(mart)
    if name is not None and name.upper() in {one.upper() for one in portfolios}:
        _risk_of_portfolio(mart, name, csv_wanted=csv_wanted, json_wanted=json_wanted, **wanted)
        return
    rows = narrowed(read_risk(mart, name), RISK_ORDERS, **wanted)
    if not printed_for_script(mart, rows, csv_wanted=csv_wanted, json_wanted=json_wanted):
        print_risk(console_on(), rows)
        if name is None and portfolios:
            console_on().print(f"\nPortfolios, with market-pipeline risk NAME: {', '.join(portfolios)}", markup=False)


def _risk_of_portfolio(mart: "Path", name: str, *, csv_wanted: bool, json_wanted: bool, **wanted: Any) -> None:
    """Print one portfolio. In JSON and CSV, returns are simple returns, as in the table `portfolios`."""
    from market_pipeline.cli.portfolios import print_portfolio
    from market_pipeline.mart.portfolios import read_parts, read_portfolios

    rows = narrowed(read_portfolios(mart, name), PORTFOLIO_ORDERS, **wanted)
    if not printed_for_script(mart, rows, csv_wanted=csv_wanted, json_wanted=json_wanted):
        print_portfolio(console_on(), rows, read_parts(mart, name))


def print_risk(console: "Console", found: "pa.Table") -> None:
    """One line per symbol and horizon, and below them what the verdicts and the two numbers mean."""
    from rich.text import Text

    rows = found.to_pylist()
    closes = sorted({(row["market"], str(row["as_of"])) for row in rows})
    title = f"What may be lost, from the close of {', '.join(f'{day} ({market})' for market, day in closes)}"
    print_fitting(
        console,
        lambda *, narrow: table_of(
            title, [{"symbol": Text(row["symbol"])} | _losses(row, narrow=narrow) for row in rows], narrow=narrow
        ),
    )
    if example := next((row for row in rows if row["var_025"] is not None), None):
        console.print(f"\n{_sentence(example)}", markup=False)
    horizons: dict[str, set[int]] = {}
    for row in rows:
        kept = row["verdict"] == "no_evidence" and row["model"] != BASELINE
        horizons.setdefault(EXPLANATIONS["kept" if kept else row["verdict"]], set()).add(row["horizon"])
    for explanation, steps in horizons.items():
        ahead = ", ".join(map(str, sorted(steps)))
        where = f"{ahead} session{'s' * (ahead != '1')}: " if len(horizons) > 1 else ""
        console.print(f"\n{where}{explanation}")


def _losses(row: Row, *, narrow: bool) -> dict[str, Cell]:
    """The cells of one line: at each level the value at risk, and in brackets the shortfall."""
    cells: dict[str, Cell] = {"ahead" if narrow else "sessions": str(row["horizon"])}
    if not narrow:
        cells["80 % range"] = f"{_percent(row['low_80'])} … {_percent(row['high_80'])}"
    for name, level in TAILS_AT.items():
        if not narrow or name != LEFT_OUT_NARROW:
            loss, shortfall = (row[f"{kind}_{name}"] for kind in ("var", "es"))
            cells[f"{100 * level:g} %"] = "–" if loss is None else f"{_percent(loss)} ({_percent(shortfall)})"
    return cells | {"model": row["model"], "verdict": verdict_of(row, narrow=narrow)}


def _percent(log_return: float) -> str:
    return f"{simple_returns(log_return):+.1%}"


def _sentence(row: Row) -> str:
    """What the two numbers of a line mean."""
    loss, shortfall = (f"{-simple_returns(row[f'{kind}_025']):.1%}" for kind in ("var", "es"))
    sessions = "1 session" if row["horizon"] == 1 else f"{row['horizon']} sessions"
    return (
        f"{row['symbol']} over {sessions}: a loss of more than {loss} is to be expected in 2.5 of 100 cases, of "
        f"{shortfall} on average then."
    )
