"""What readers get: is a mart published, of what is stored, by this version, is it current; is the report whole."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from market_pipeline import __version__
from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.ages import read_freshness
from market_pipeline.mart.read import query
from market_pipeline.mart.report.digest import is_whole
from market_pipeline.storage.publication import REPLACED, Publication
from market_pipeline.storage.upgrade import SCHEMA_VERSION


def published_mart(publication: Publication, newest: Mapping[str, dt.date], now: dt.datetime) -> Iterator[Finding]:
    """Whether what is stored is published; `newest` has the newest stored session of each market, as far as known."""
    try:
        yield _published(publication, newest, now)
    except MarketPipelineError as error:
        yield Finding("mart", False, str(error))
    report = publication.report_file
    if report.exists() and not is_whole(report.read_bytes()):
        message = f"{report} is not as it was published: it is damaged, was edited, or an older version made it. "
        yield Finding("report", False, message + REPLACED)


def _published(publication: Publication, newest: Mapping[str, dt.date], now: dt.datetime) -> Finding:
    if not publication.exists():
        if not newest:
            return Finding("mart", True, f"none yet at {publication.address}; a backfill or a daily run publishes it")
        name, day = next(iter(newest.items()))
        return Finding("mart", False, f"nothing is published of what is stored. {_publish(name, day)}")
    mart = publication.newest()
    meta = query(mart, "from meta").to_pylist()
    in_mart = {row["market"]: row["newest_session"] for row in meta}
    for name, day in newest.items():
        if in_mart.get(name) != day:
            message = f"{name} is stored to {day}, but published to {in_mart.get(name)}. {_publish(name, day)}"
            return Finding("mart", False, message)
    if not meta:
        return Finding("mart", True, f"{publication.address}, without prices")
    return _current(publication.address, mart, meta, now)


def _current(address: str, mart: Path, meta: list[dict[str, Any]], now: dt.datetime) -> Finding:
    """Whether this version published the mart, and whether it is current; `meta` has its rows."""
    first = meta[0]
    made = f"version {first['code_version']}, schema version {first.get('schema_version', 1)}"
    this = f"version {__version__}, schema version {SCHEMA_VERSION}"
    if made != this:
        fix = _publish(first["market"], first["newest_session"])
        return Finding("mart", False, f"published by {made}, and this program is {this}. {fix}")
    message = f"{address}, published {first['published_at']:%Y-%m-%d %H:%M} UTC by {made}"
    old = [str(one) for one in read_freshness(mart, now) if one.behind]
    if old:
        return Finding(
            "mart", False, f"{message}. {'. '.join(old)}. Bring the prices up to date; a run publishes them."
        )
    return Finding("mart", True, message)


def _publish(market: str, day: dt.date) -> str:
    return f"Publish it: market-pipeline backfill --market {market} --start {day} --end {day} --assets mart"
