"""The report: what the published mart says, as one HTML file that needs nothing else to be read.

Knows the mart's tables and what belongs where on the page. Knows nothing of the warehouse, of how a number came to be,
or of how it looks: words and style are in report.html, drawings in charts.py.
"""

import datetime as dt
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, StrictUndefined

from market_pipeline.mart.charts import Fan, coverage_strip, fan_chart, pit_histogram, range_bar, round_limit
from market_pipeline.mart.read import LEADERBOARD, META, SIGNALS, query
from market_pipeline.panel import to_grids
from market_pipeline.scores.calibration import CLAIMED, PIECES
from market_pipeline.scores.verdicts import SURVIVORSHIP

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]

BASELINE = "random_walk"
QUESTIONS = ("return", "direction", "range", "rank")
LEVELS = ("q025", "q10", "q25", "q50", "q75", "q90", "q975")

DRAWN_SYMBOLS, DRAWN_SESSIONS, LISTED_GAPS = 12, 120, 6

SYMBOLS = "select market, symbol from prices group by all order by all"
CLOSES = """
with recent as (
    select market, session from prices group by market, session
    qualify row_number() over (partition by market order by session desc) <= $sessions
)
select market, symbol, session, adj_close from prices join recent using (market, session)
where adj_close is not null
qualify dense_rank() over (partition by market order by symbol) <= $symbols
order by all
"""
FANS = """
select f.* from forecast_prices f
join signals s on s.market = f.market and s.symbol = f.symbol and s.as_of = f.origin and s.horizon = f.horizon
    and s.model = f.model
order by f.market, f.symbol, f.horizon
"""
_COUNTED = ", ".join(f"sum({name})" for name in PIECES)
CALIBRATION = f"""
with held as (
    select market, horizon, model, count(*) as due,
        avg(covered_50::integer) as held_50, avg(covered_80::integer) as held_80, avg(covered_95::integer) as held_95
    from scores where covered_50 is not null group by all
), fell as (
    select market, horizon, model, [{_COUNTED}]::double[] as pieces
    from pit group by all
)
from held left join fell using (market, horizon, model) order by market, horizon, model
"""  # noqa: S608  the names are those of PIECES
COVERAGE = """
select market, year(session) as year, count(*) as sessions, sum(expected)::bigint as expected,
    sum(present)::bigint as present, sum(rejected)::bigint as rejected, sum(missing)::bigint as missing
from coverage group by rollup (market, year(session)) having market is not null order by market, year nulls last
"""
GAPS = """
select market, session, rejected, missing from coverage where rejected + missing > 0
qualify row_number() over (partition by market order by session desc) <= $listed order by market, session desc
"""


@dataclass(frozen=True)
class Matrix:
    """Verdicts of one market: `cells` by (model, horizon, question); `questions` and `origins` by horizon."""

    models: tuple[str, ...]
    questions: Mapping[int, tuple[str, ...]]
    origins: Mapping[int, str]
    cells: Mapping[tuple[str, int, str], Row]
    tally: Mapping[str, int]


@dataclass(frozen=True)
class Served:
    """The signals that one model gave at one origin and horizon, on one axis from -`limit` to `limit`."""

    horizon: int
    as_of: dt.date
    model: str
    verdict: str
    limit: float
    signals: Rows


@dataclass(frozen=True)
class MarketPage:
    """Everything the report says of one market; an empty part is a part the mart has no rows for."""

    name: str
    newest: dt.date | None
    symbols: tuple[str, ...]
    verdicts: Matrix | None
    served: tuple[Served, ...]
    charts: Rows
    calibration: Rows
    coverage: Rows
    gaps: Rows

    @property
    def undrawn(self) -> tuple[str, ...]:
        """Symbols of the mart that have no chart."""
        drawn = {chart["symbol"] for chart in self.charts}
        return tuple(symbol for symbol in self.symbols if symbol not in drawn)


def write_report(mart: Path, report: Path) -> None:
    """Write the report of a published mart, whole or not at all; a reader of the old file keeps it.

    Raises MarketPipelineError when no mart was published at `mart`.
    """
    page = render(query(mart, META).to_pylist(), read_markets(mart), mart.name)
    report.parent.mkdir(parents=True, exist_ok=True)
    new = report.with_name(f"{report.name}.{os.getpid()}.new")
    try:
        new.write_text(page, encoding="utf-8")
        new.replace(report)
    finally:
        new.unlink(missing_ok=True)


def read_markets(mart: Path) -> tuple[MarketPage, ...]:
    """A page for every market the mart names anywhere, in order of name."""
    newest = {row["market"]: row["newest_session"] for row in query(mart, META).to_pylist()}
    signals, verdicts = _by_market(query(mart, SIGNALS)), _by_market(query(mart, LEADERBOARD))
    symbols, fans = _by_market(query(mart, SYMBOLS)), _by_market(query(mart, FANS))
    closes = query(mart, CLOSES, {"sessions": DRAWN_SESSIONS, "symbols": DRAWN_SYMBOLS})
    calibration, coverage = _by_market(query(mart, CALIBRATION)), _by_market(query(mart, COVERAGE))
    gaps = _by_market(query(mart, GAPS, {"listed": LISTED_GAPS}))
    return tuple(
        MarketPage(
            name=name,
            newest=newest.get(name),
            symbols=tuple(row["symbol"] for row in symbols.get(name, [])),
            verdicts=matrix_of(verdicts.get(name, [])),
            served=served_of(signals.get(name, [])),
            charts=charts_of(closes.filter(pc.field("market") == name), fans.get(name, [])),
            calibration=[_with_strip(row) for row in calibration.get(name, [])],
            coverage=coverage.get(name, []),
            gaps=gaps.get(name, []),
        )
        for name in sorted({*newest, *signals, *verdicts, *coverage})
    )


def matrix_of(leaderboard: Rows) -> Matrix | None:
    """The leaderboard of one market without the baseline, which cannot beat itself; None when nothing is left."""
    rows = [row for row in leaderboard if row["model"] != BASELINE]
    if not rows:
        return None
    horizons = sorted({row["horizon"] for row in rows})
    asked = {(row["horizon"], row["question"]) for row in rows}
    origins = {h: [row["n_origins"] for row in rows if row["horizon"] == h] for h in horizons}
    return Matrix(
        models=tuple(sorted({row["model"] for row in rows})),
        questions={h: tuple(question for question in QUESTIONS if (h, question) in asked) for h in horizons},
        origins={h: str(max(n)) if min(n) == max(n) else f"{min(n)} to {max(n)}" for h, n in origins.items()},
        cells={(row["model"], row["horizon"], row["question"]): row for row in rows},
        tally=Counter(row["verdict"] for row in rows),
    )


def served_of(signals: Rows) -> tuple[Served, ...]:
    """The signals of one market by what speaks: horizon, origin, model and verdict."""
    groups: dict[tuple[int, dt.date, str, str], Rows] = {}
    for row in signals:
        groups.setdefault((row["horizon"], row["as_of"], row["model"], row["verdict"]), []).append(row)
    served = []
    for (horizon, as_of, model, verdict), rows in sorted(groups.items()):
        limit = round_limit([edge for row in rows for edge in (row["low_80"], row["high_80"])])
        drawn = [row | {"bar": _bar(row, limit)} for row in rows]
        served.append(Served(horizon, as_of, model, verdict, limit, drawn))
    return tuple(served)


def charts_of(closes: pa.Table, fans: Rows) -> Rows:
    """One drawing per symbol of `closes`: the symbol, its newest session and close, its fan's far end, the SVG."""
    sessions = np.unique(closes["session"].to_numpy().astype("datetime64[D]"))
    symbols = sorted(set(closes["symbol"].to_pylist()))
    grid = to_grids(closes, symbols, sessions, ("adj_close",))["adj_close"]  # (symbols, sessions)
    far = max((row["horizon"] for row in fans), default=0)
    charts = []
    for symbol, line in zip(symbols, grid, strict=True):
        last = int(np.flatnonzero(np.isfinite(line))[-1])
        ahead = [row for row in fans if row["symbol"] == symbol]
        fan = _fan_of(ahead, sessions)
        labels = (str(sessions[0]), str(sessions[fan.start if fan else -1]))
        title = f"{symbol}: adjusted close over {len(sessions)} sessions to {sessions[last]}" + (
            f", and 50, 80 and 95 % ranges out to {ahead[-1]['horizon']} sessions" if fan else ""
        )
        drawing = fan_chart(line, fan, far, labels, title)
        newest = {"session": sessions[last].item(), "close": float(line[last])}
        charts.append({"symbol": symbol, **newest, "end": ahead[-1] if fan else None, "svg": drawing})
    return charts


def render(meta: Rows, markets: Sequence[MarketPage], mart_name: str) -> str:
    """The page; `meta` as the mart has it, empty when it holds no prices."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "price": price}
    template = files("market_pipeline.mart").joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        meta=meta[0] if meta else None, markets=markets, mart=mart_name, survivorship=SURVIVORSHIP
    )


def percent(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    r"""A fraction as per cent with a true minus; a dash when there is none, no sign on what rounds to zero.

    >>> percent(-0.0123, 1, sign=True)
    '−1.2\u202f%'
    """
    if fraction is None or not math.isfinite(fraction):
        return "–"
    hundredths = round(100 * fraction, decimals) or 0.0
    return f"{hundredths:{'+' if sign and hundredths else ''}.{decimals}f}\u202f%".replace("-", "−")


def price(value: float) -> str:
    """A price to at least four significant digits: hundredths below 10,000, whole units from there, no powers of ten.

    >>> price(103412.4), price(164.213), price(0.071234)
    ('103,412', '164.21', '0.07123')
    """
    magnitude = math.floor(math.log10(abs(value) or 1.0))
    decimals = min(max(3 - magnitude, 2), 12) if magnitude < 4 else 0
    return f"{value:,.{decimals}f}"


def _by_market(rows: pa.Table) -> dict[str, Rows]:
    groups: dict[str, Rows] = {}
    for row in rows.to_pylist():
        groups.setdefault(row["market"], []).append(row)
    return groups


def _fan_of(ahead: Rows, sessions: np.ndarray) -> Fan | None:
    """The fan of one symbol from its served forecasts, nearest first; None when its origin is not drawn."""
    if not ahead:
        return None
    start = np.flatnonzero(sessions == np.datetime64(ahead[0]["origin"]))
    if not len(start):
        return None
    now = np.full((1, len(LEVELS)), ahead[0]["origin_price"])
    levels = np.array([[row[level] for level in LEVELS] for row in ahead])
    return Fan(int(start[0]), np.array([0.0, *(row["horizon"] for row in ahead)]), np.concatenate([now, levels]))


def _bar(row: Row, limit: float) -> str:
    low, high = percent(row["low_80"], sign=True), percent(row["high_80"], sign=True)
    title = f"{row['symbol']}, {row['horizon']} ahead: 80 % range from {low} to {high}"
    return range_bar(row["low_80"], row["expected_return"], row["high_80"], limit, title)


def _with_strip(row: Row) -> Row:
    held = (row["held_50"], row["held_80"], row["held_95"])
    shares = ", ".join(percent(share) for share in held)
    strip = coverage_strip(held, f"The 50, 80 and 95 % ranges held {shares} of the time")
    pieces = np.array(row["pieces"] or CLAIMED, float)
    title = "Outcomes between the quantiles, lowest first: " + ", ".join(percent(p) for p in pieces / pieces.sum())
    drawn = pit_histogram((pieces / pieces.sum()).tolist(), CLAIMED.tolist(), title) if row["pieces"] else ""
    return row | {"strip": strip, "histogram": drawn}
