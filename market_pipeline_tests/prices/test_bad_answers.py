"""Every bad answer of Yahoo, through the real client into the warehouse: named, not stored, corrected afterwards."""

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.sources.yahoo import YahooSource
from market_pipeline_tests.bad_answers import KINDS
from market_pipeline_tests.loopback_yahoo import QUICK, Instrument, LoopbackYahoo, running_yahoo
from market_pipeline_tests.pipeline import Pipeline

FIRST, KNOWN, NEXT, LAST = (dt.date(2024, *day) for day in ((1, 2), (2, 29), (3, 1), (3, 15)))
SYMBOLS = {kind: f"{kind.upper()}.X" for kind in KINDS}
SPLITS = {dt.date(2024, 3, 7): (2, 1)}
INSTRUMENTS = [
    Instrument("GOOD"),
    *(Instrument(SYMBOLS[kind], splits=SPLITS if kind in ("unadjusted", "splitless") else {}) for kind in KINDS),
]
TOML = f"""
[stocks]
calendar = "XNYS"
start = {FIRST}
symbols = {[instrument.symbol for instrument in INSTRUMENTS]}
"""

QUARANTINED = {
    "onenull": "every price is a number",
    "x100": "the close is within 5 times its recent median",
    "zero": "every price is positive",
    "negative": "every price is positive",
    "highlow": "no price is above the high",
    "outside": "no price is above the high",
    "minusvolume": "no volume is negative",
    "saturday": "the day is a session of the calendar",
}
"""Bars that arrive and are quarantined, with the rule."""

NAMED = {
    "ok": {*QUARANTINED, "dup", "future", "backwards", "noise", "revolume", "adjinf", "unadjusted"},
    "partial": {"nulls", "lastnull", "volume_only", "missing", "stale"},
    "hole": {"nodata"},
    "unknown_symbol": {"delisted"},
    "rate_limited": {"429"},
    "rejected": {"pence", "currency", "othersymbol", "splitless"},
    "unavailable": {
        "401", "403", "404html", "500", "502html", "503", "down", "consent", "garbage", "nothing", "emptyjson",
        "nullchart", "infinite", "words", "ragged", "noquote", "nocolumn", "nullstamps", "nometa", "close", "hang",
        "truncated", "empty", "noresult",
    },
}  # fmt: skip
"""How each kind ends while it lasts."""


@pytest.fixture(scope="module")
def yahoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackYahoo]:
    with running_yahoo(tmp_path_factory.mktemp("yahoo"), INSTRUMENTS) as yahoo:
        yahoo.now = dt.datetime(2024, 3, 16, 12, tzinfo=dt.UTC)
        yield yahoo


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, yahoo: LoopbackYahoo) -> Path:
    """A data directory with January and February."""
    return ask(tmp_path_factory.mktemp("known"), FIRST, KNOWN).folder


@pytest.fixture(scope="module")
def with_bad_answers(tmp_path_factory: pytest.TempPathFactory, yahoo: LoopbackYahoo, known: Path) -> Path:
    """The same after bad answers of each kind, again and again, for March."""
    folder = tmp_path_factory.mktemp("bad")
    shutil.copytree(known, folder, dirs_exist_ok=True)
    for kind, symbol in SYMBOLS.items():
        yahoo.fault(kind, symbol, times=10**6)
    ask(folder, NEXT, LAST)
    yahoo.faults.clear()
    return folder


def ask(folder: Path, first: dt.date, last: dt.date) -> Pipeline:
    """One run of the asset from Yahoo, as a new process would begin it."""
    pipeline = Pipeline(folder, TOML, source=YahooSource(interval=0, timeout=1, policy=QUICK))
    pipeline.compute(("prices",), first, last)
    return pipeline


def statuses(pipeline: Pipeline) -> dict[str, str]:
    rows = pipeline.warehouse.read("select symbol, max_by(status, asked_at) as status from outcomes group by symbol")
    return {row["symbol"]: row["status"] for row in rows.to_pylist()}


def stored(pipeline: Pipeline, symbol: str) -> dict[dt.date, list[float]]:
    rows = pipeline.warehouse.read(
        "select session, open, high, low, close from prices where symbol = $symbol order by session", {"symbol": symbol}
    )
    return {row["session"]: [row["open"], row["high"], row["low"], row["close"]] for row in rows.to_pylist()}


def assert_no_bad_row(pipeline: Pipeline) -> None:
    for instrument in INSTRUMENTS:
        for day, values in stored(pipeline, instrument.symbol).items():
            np.testing.assert_allclose(
                values, instrument.bars[day][:4], rtol=1e-5, err_msg=f"{instrument.symbol} {day}"
            )


def assert_complete(pipeline: Pipeline) -> None:
    sessions = set(pipeline.market.sessions_between(FIRST, LAST).tolist())
    lacking = {i.symbol: sorted(map(str, sessions - set(stored(pipeline, i.symbol)))) for i in INSTRUMENTS}
    assert not {symbol: days for symbol, days in lacking.items() if days}
    assert not pipeline.warehouse.read("from quarantine").num_rows
    assert_no_bad_row(pipeline)


def test_a_lasting_bad_answer_is_named_and_no_bad_row_is_stored(with_bad_answers: Path) -> None:
    pipeline = Pipeline(with_bad_answers, TOML)
    found = statuses(pipeline)
    named = {status: {kind for kind, symbol in SYMBOLS.items() if found[symbol] == status} for status in NAMED}
    assert named == NAMED
    rows = pipeline.warehouse.read("select symbol, rule from quarantine").to_pylist()
    assert {row["symbol"]: row["rule"] for row in rows} == {SYMBOLS[kind]: rule for kind, rule in QUARANTINED.items()}
    assert_no_bad_row(pipeline)
    assert len(stored(pipeline, "GOOD")) == len(pipeline.market.sessions_between(FIRST, LAST))


def test_when_it_has_passed_the_same_process_corrects_it(tmp_path: Path, with_bad_answers: Path) -> None:
    shutil.copytree(with_bad_answers, tmp_path, dirs_exist_ok=True)
    corrected = ask(tmp_path, NEXT, LAST)
    assert set(statuses(corrected).values()) == {"ok"}
    assert_complete(corrected)


def test_when_it_has_passed_another_process_corrects_it(tmp_path: Path, with_bad_answers: Path) -> None:
    shutil.copytree(with_bad_answers, tmp_path, dirs_exist_ok=True)
    days = ", ".join(f"dt.date.fromisoformat('{day}')" for day in (NEXT, LAST))
    code = f"import datetime as dt, pathlib; from {__name__} import ask; ask(pathlib.Path({str(tmp_path)!r}), {days})"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert_complete(Pipeline(tmp_path, TOML))


def test_a_short_fault_is_corrected_within_the_fetch_or_the_next(
    tmp_path: Path, yahoo: LoopbackYahoo, known: Path
) -> None:
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    for kind, symbol in SYMBOLS.items():
        yahoo.fault(kind, symbol, times=1)
    first = statuses(ask(tmp_path, NEXT, LAST))
    yahoo.faults.clear()
    assert not {kind for kind in NAMED["unavailable"] | NAMED["rate_limited"] if first[SYMBOLS[kind]] != "ok"}
    assert_complete(ask(tmp_path, NEXT, LAST))
