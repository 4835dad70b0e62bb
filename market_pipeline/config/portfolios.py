"""Portfolios of a market: fixed weights, equal weights, or holdings in a CSV file; what is wrong with them, in words.

Knows neither prices nor sessions: what a holding is worth, and whether a symbol has a bar, is found at each origin.
"""

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

Unit: TypeAlias = Literal["weight", "quantity"]

RESERVED = "test_"
"""How the names of the portfolios begin that the pipeline makes from the market's symbols, to judge joint models."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

KINDS = (
    'a table of weights such as {AAPL = 0.5, MSFT = -0.5}, "equal", {equal = ["AAPL", "MSFT"]} or '
    '{holdings = "holdings.csv"}'
)

COLUMNS = ("symbol", "quantity", "date")

LARGEST = 1e15
"""Size of a weight or quantity that is taken for a mistake."""


@dataclass(frozen=True)
class Held:
    """One position, from a day on."""

    symbol: str
    amount: float
    """Weight as a share of the capital, or number of shares; below 0 for a short position."""
    since: dt.date | None = None
    """Held from the close of this day; None for always."""


@dataclass(frozen=True)
class Portfolio:
    """What is held together: fixed weights, or quantities that may differ by date."""

    name: str
    unit: Unit
    positions: tuple[Held, ...]

    def on(self, day: dt.date) -> tuple[Held, ...]:
        """The positions at the close of a day: those of the newest date up to it; none before the first date."""
        dates = [held.since for held in self.positions if held.since is not None and held.since <= day]
        newest = max(dates, default=None)
        return tuple(held for held in self.positions if held.since == newest)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that is held on some day, by name."""
        return tuple(sorted({held.symbol for held in self.positions}))


def _is_made(value: Any) -> Any:
    """Refuse what markets_file.py has not made a Portfolio yet: a Market made in Python has none or made ones."""
    if not isinstance(value, Portfolio):
        raise ValueError("no Portfolio")  # noqa: TRY004  pydantic translates ValueError
    return value


MadePortfolio: TypeAlias = Annotated[
    Any, BeforeValidator(_is_made), WithJsonSchema({"type": "portfolio"}), Field(title="a portfolio")
]


def portfolios_of(table: Any, symbols: Sequence[str], folder: Path) -> tuple[Portfolio, ...]:
    """The portfolios of a market's key `portfolios`, by name; `folder` is where relative paths of holdings begin.

    Raises ValueError with what is wrong: the portfolio, the symbol or line, the value, and what is wanted.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"portfolios is {table!r:.60}, but must be a table of names, each with {KINDS}.")  # noqa: TRY004  as for every fault of a file: the reader adds its name
    return tuple(_portfolio(name, table[name], symbols, folder) for name in sorted(table))


def _portfolio(name: str, given: Any, symbols: Sequence[str], folder: Path) -> Portfolio:
    where = f"portfolios.{name}"
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise ValueError(
            f"portfolios has the name {name!r:.70}; a name is 1 to 64 letters, digits, '_' and '-', begins with a "
            f"letter, and does not begin with {RESERVED!r}, which names the portfolios that judge joint models."
        )
    if name.upper() in {symbol.upper() for symbol in symbols}:
        raise ValueError(f"portfolios has the name {name!r}, which is a symbol. Choose another name.")
    unit: Unit = "weight"
    if given == "equal":
        positions = _equal(where, list(symbols))
    elif isinstance(given, Mapping) and {*given} == {"equal"} and not _is_number(given["equal"]):
        positions = _equal(where, given["equal"])
    elif isinstance(given, Mapping) and {*given} == {"holdings"} and not _is_number(given["holdings"]):
        unit, positions = "quantity", _holdings(where, given["holdings"], folder)
    elif isinstance(given, Mapping):
        positions = tuple(Held(symbol, _amount(f"{where}.{symbol}", value)) for symbol, value in sorted(given.items()))
    else:
        raise ValueError(f"{where} is {given!r:.60}, but must be {KINDS}.")
    if problem := next(_problems(where, positions, symbols), None):
        raise ValueError(problem)
    return Portfolio(name, unit, positions)


def _equal(where: str, symbols: Any) -> tuple[Held, ...]:
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise ValueError(f'{where}.equal is {symbols!r:.60}, but must be a list of symbols, such as ["AAPL", "MSFT"].')
    return tuple(Held(symbol, 1 / len(symbols)) for symbol in sorted(symbols))


def _problems(where: str, positions: Sequence[Held], symbols: Sequence[str]) -> Iterator[str]:
    """What is wrong though each value is a number."""
    if not positions:
        yield f"{where} is empty. It needs at least one symbol."
    seen = set[tuple[str, dt.date | None]]()
    for held in positions:
        day = f" on {held.since}" if held.since else ""
        if held.symbol not in symbols:
            yield f"{where} names {held.symbol!r}{day}, which is not among the symbols of this market."
        if (held.symbol, held.since) in seen:
            yield f"{where} has {held.symbol!r} twice{day}. Add the two together."
        seen.add((held.symbol, held.since))
    for since in dict.fromkeys(held.since for held in positions):
        if not math.fsum(abs(held.amount) for held in positions if held.since == since) > 0:
            day = f" on {since}" if since else ""
            yield f"{where} holds nothing{day}: the sizes of its amounts sum to 0."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _amount(where: str, value: Any) -> float:
    """A finite number of a possible size; raises ValueError that names the place and the value."""
    if not _is_number(value):
        raise ValueError(f"{where} is {value!r:.60}, but must be a number, such as 0.5.")
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"{where} is {value!r:.60}, but must be a finite number of at most {LARGEST:g} in size.")
    return float(value)


def _holdings(where: str, name: Any, folder: Path) -> tuple[Held, ...]:
    """The positions of a CSV file with the columns symbol, quantity and optionally date, in the order of its lines."""
    if not isinstance(name, str) or not name:
        raise ValueError(f'{where}.holdings is {name!r:.60}, but must be the path of a CSV file, such as "mine.csv".')
    path = folder / name
    where = f"{where}.holdings ({path})"
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a byte-order mark first
    except OSError as error:
        raise ValueError(
            f"{where} cannot be read: {error.strerror}. The path is relative to the markets file."
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not text in UTF-8: {error.reason} at byte {error.start}.") from None
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"{where} is not CSV: {error}.") from None
    header = tuple(cell.strip().lower() for cell in lines[0]) if lines else ()
    if sorted(header) not in (sorted(COLUMNS), sorted(COLUMNS[:2])):
        raise ValueError(
            f"{where} has the columns {', '.join(header)[:80] or 'none'}; they are symbol, quantity, and date (or not)."
        )
    positions = tuple(
        _line(f"{where}, line {number}", dict(zip(header, cells, strict=False)), complete=len(cells) == len(header))
        for number, cells in enumerate(lines[1:], 2)
        if any(cell.strip() for cell in cells)
    )
    for before, after in pairwise(positions):
        if before.since is not None and after.since is not None and after.since < before.since:
            raise ValueError(
                f"{where} has the date {after.since} below {before.since}: dates must ascend. Sort the file by date."
            )
    return positions


def _line(where: str, cells: Mapping[str, str], *, complete: bool) -> Held:
    if not complete:
        raise ValueError(f"{where} has another number of cells than the first line.")
    text, since = cells["quantity"].strip(), None
    try:
        amount = float(text)
    except ValueError:
        raise ValueError(f"{where}: quantity is {text!r:.60}, but must be a number, such as 10 or -2.5.") from None
    if "date" in cells:
        day = cells["date"].strip()
        try:
            since = dt.date.fromisoformat(day)
        except ValueError:
            raise ValueError(f"{where}: date is {day!r:.60}, but must be a day such as 2024-01-31.") from None
    return Held(cells["symbol"].strip(), _amount(f"{where}: quantity", amount), since)
