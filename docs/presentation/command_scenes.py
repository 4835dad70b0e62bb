"""The scenes in the terminal: the demo, one symbol, a replay, risk, and queries on the mart."""

# ruff: noqa: INP001, S603  imported by a script; it runs Python

import datetime as dt
import re
import subprocess
import sys

from film import still
from recording import HERE, Recording
from rich.text import Text
from screens import ROWS, terminal

QUERY = """
import duckdb
mart = duckdb.connect("data/mart.duckdb", read_only=True)
print(mart.sql('''select symbol, horizon, trend, round(low_80, 3) low, round(high_80, 3) high, model, verdict
                  from signals order by all limit 5'''))
print(mart.sql("select model, round(avg(covered_80::int), 3) held_80 from scores group by 1 order by 1 limit 5"))
"""


def demo(recording: Recording, lines: list[str], seconds: float) -> None:
    heading = next(place for place, line in enumerate(lines) if Text.from_ansi(line).plain.startswith("Forecasts"))
    minutes = f"{seconds / 60:.1f}"
    recording.typed("demo", "make demo", lines[:heading], 4, minutes=minutes)
    image = terminal(recording.page, "market-pipeline", lines[: heading + ROWS])
    still(image, HERE / "demo.png")
    recording.show("screen", image, 7)
    image = terminal(recording.page, "market-pipeline", lines)
    still(image, HERE / "verdicts.png")
    recording.show("screen", image, 7)


def one_symbol(recording: Recording) -> None:
    lines = recording.demo.run("forecast", "AUTOREG")
    image = recording.typed("symbol", "market-pipeline forecast AUTOREG", lines, 6)
    still(image, HERE / "forecast.png")
    day = max(days_in(lines)).isoformat()
    command = ("replay", "--market", "stocks", "--origin", day)
    recording.typed("replay", f"market-pipeline {' '.join(command)}", recording.demo.run(*command), 6)


def risk(recording: Recording) -> None:
    image = recording.typed("risk", "market-pipeline risk mixed", recording.demo.run("risk", "mixed"), 9)
    still(image, HERE / "risk.png")


def notebook(recording: Recording) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", QUERY],
        cwd=recording.demo.folder,
        env=recording.demo.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code = [f"\x1b[34m{'...' if line[0] == ' ' else '>>>'}\x1b[0m {line}" for line in QUERY.strip().split("\n")]
    image = recording.typed("query", "python", [*code, *ended.stdout.split("\n")], 7)
    still(image, HERE / "query.png")


def days_in(lines: list[str]) -> list[dt.date]:
    """Every date in printed lines, ignoring colours."""
    plain = " ".join(Text.from_ansi(line).plain for line in lines)
    return [dt.date.fromisoformat(day) for day in re.findall(r"\d{4}-\d{2}-\d{2}", plain)]
