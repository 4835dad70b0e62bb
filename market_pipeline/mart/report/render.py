"""The report as one HTML file that needs no other file.

Knows how the file is assembled and put in place: contents.py has its contents, page/ its templates.
"""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from market_pipeline.mart.read import read_rows
from market_pipeline.mart.report import marks, sentences
from market_pipeline.mart.report.contents import MarketPage, read_markets
from market_pipeline.mart.report.digest import with_digest
from market_pipeline.mart.report.queries import RECORDED_SESSIONS
from market_pipeline.mart.report.rows import Rows
from market_pipeline.mart.report.summary import summary_of
from market_pipeline.scores.calibration import EXPECTED_SHARES
from market_pipeline.scores.verdicts import SURVIVORSHIP
from market_pipeline.storage.tables.forecasts import HORIZONS, RANGES, TAILS_AT
from market_pipeline.storage.tables.scores import QUESTIONS, VERDICTS
from market_pipeline.storage.whole_files import write_whole

FILTERS = {
    "percent": sentences.percent,
    "price": sentences.price,
    "amount": sentences.amount,
    "strategy_sentence": sentences.of_strategy,
    "pieces": marks.pieces,
    "density": marks.density,
    "fixed": "{:.1f}".format,
}
GLOBALS = {
    "questions": QUESTIONS,
    "verdicts": VERDICTS,
    "verdict_marks": sentences.VERDICT_MARKS,
    "verdict_label": sentences.verdict_label,
    "beats": sentences.BEATS,
    "ranges": tuple(RANGES),
    "nominal_coverage": [percent / 100 for percent in RANGES],
    "nominal_pieces": EXPECTED_SHARES.tolist(),
    "tail_levels": TAILS_AT,
    "recorded_sessions": RECORDED_SESSIONS,
    "survivorship": SURVIVORSHIP,
}
JSON = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
"""How data for scripts is written; Jinja escapes what could end a script element."""


def write_report(mart: Path, report: Path) -> None:
    """Write the report of a published mart, complete or not at all, with its digest; a reader of the old file keeps it.

    It is of one mart only if no other is published meanwhile: `mart/assets.py` has the turn for that.

    Raises MarketPipelineError when no mart is published at `mart`.
    """
    page = render(read_rows(mart, "meta").to_pylist(), read_markets(mart), mart.name)
    write_whole(report, with_digest(page.encode()))


def render(meta: Rows, markets: Sequence[MarketPage], mart_name: str) -> str:
    """The page; `meta` is the mart's table, empty when the mart holds no prices."""
    newest = meta[0] if meta else None
    return (
        templates()
        .get_template("report.html")
        .render(
            meta=newest,
            markets=markets,
            mart=mart_name,
            summary=summary_of(markets, newest["compared_with"] if newest else None),
            data=[market.data for market in markets if market.symbols],
            horizons={horizon: horizon for horizon in horizons_of(markets)},
        )
    )


def horizons_of(markets: Sequence[MarketPage]) -> tuple[int, ...]:
    """The horizons that have a forecast in some market; all that there are when none has."""
    return tuple(sorted({one.horizon for market in markets for one in market.selected})) or HORIZONS


def templates() -> Environment:
    """The templates of page/, with their filters and globals."""
    environment = Environment(
        loader=PackageLoader("market_pipeline.mart.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= GLOBALS
    environment.policies["json.dumps_kwargs"] = JSON
    return environment
