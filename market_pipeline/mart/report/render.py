"""The report: what the published mart says, as one HTML file that needs nothing else to be read.

Knows how the file is put together and in place: contents.py knows what is said, page/ how it looks.
"""

import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from market_pipeline.mart.read import META, query
from market_pipeline.mart.report.contents import DRAWN_SESSIONS, QUESTIONS, MarketPage, Rows, read_markets
from market_pipeline.mart.report.sentences import of_served, of_strategy, percent, price
from market_pipeline.scores.verdicts import SURVIVORSHIP


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


def render(meta: Rows, markets: Sequence[MarketPage], mart_name: str) -> str:
    """The page; `meta` as the mart has it, empty when it holds no prices."""
    environment = Environment(
        loader=PackageLoader("market_pipeline.mart", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "price": price, "served": of_served, "strategy": of_strategy}
    charted = [market for market in markets if market.chart["sessions"]]
    return environment.get_template("report.html").render(
        meta=meta[0] if meta else None,
        markets=markets,
        mart=mart_name,
        questions=QUESTIONS,
        drawn_sessions=DRAWN_SESSIONS,
        survivorship=SURVIVORSHIP,
        style=_page("style.css"),
        data=embedded([market.chart | {"name": market.name} for market in charted]),
        scripts=[_plotly(), _page("chart.js")] if charted else [],
    )


def embedded(data: Sequence[Mapping[str, Any]]) -> Markup:
    """JSON for a script element: no character of it can end the element or open another."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  nothing of it is markup


def _page(name: str) -> Markup:
    text = (files("market_pipeline.mart") / "page" / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  a file of this package


def _plotly() -> Markup:
    """The plotting library, once, as the package holds it."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())  # noqa: S704  the package's own script
