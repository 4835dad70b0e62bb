"""A Yahoo on the loopback: the real yfinance client talks to it unpatched, and can reach nothing else.

One port is an HTTPS proxy that answers CONNECT itself for *.yahoo.com, under a throw-away certificate authority; any
other host gets a 403. `running_yahoo` sets the environment that leads the client there.
"""

import datetime as dt
import json
import math
import os
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import exchange_calendars as xc
import numpy as np

from market_pipeline.sources.retry import RetryPolicy
from market_pipeline_tests.bad_answers import BAD_ANSWERS, SPOILED, break_shape

QUICK = RetryPolicy(attempts=2, first_wait=0.01, longest_wait=0.05, refused_after=99)
"""How a test asks: without pauses."""

CHART = "/v8/finance/chart/"
COOKIE = "A3=d=LOOP&S=LOOP; Expires=Tue, 01 Jan 2036 00:00:00 GMT; Domain=.yahoo.com; Path=/; Secure; HttpOnly"


@dataclass
class Instrument:
    """Daily bars as traded; splits (new, old), dividends in cash as paid. Yahoo's view is computed from them."""

    symbol: str
    splits: Mapping[dt.date, tuple[int, int]] = field(default_factory=dict)
    dividends: Mapping[dt.date, float] = field(default_factory=dict)
    start: dt.date = dt.date(2023, 1, 2)
    bars: dict[dt.date, tuple[float, float, float, float, int]] = field(init=False)

    def __post_init__(self) -> None:
        calendar = xc.get_calendar("24/7" if self.coin else "XNYS", start=self.start.isoformat())
        draw = np.random.default_rng(zlib.crc32(self.symbol.encode()))
        price, self.bars = 100.0, {}
        for day in (session.date() for session in calendar.sessions):
            new, old = self.splits.get(day, (1, 1))
            opened = price * old / new * math.exp(draw.normal(0, 0.004))
            price = opened * math.exp(draw.normal(0, 0.015))
            high = max(opened, price) * math.exp(abs(draw.normal(0, 0.004)))
            low = min(opened, price) * math.exp(-abs(draw.normal(0, 0.004)))
            self.bars[day] = (opened, high, low, price, int(draw.integers(10**6, 9 * 10**7)))

    @property
    def coin(self) -> bool:
        return self.symbol.endswith("-USD")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo("UTC" if self.coin else "America/New_York")

    def stamp(self, day: dt.date, *, close: bool = False) -> int:
        """Yahoo's time of a daily bar: the session's open."""
        hour, minute = ((23, 59) if close else (0, 0)) if self.coin else ((16, 0) if close else (9, 30))
        return int(dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).timestamp())

    def split_factor(self, after: dt.date, now: dt.datetime) -> float:
        """What Yahoo multiplies a price of `after` by, for the splits since."""
        begun = {day: ratio for day, ratio in self.splits.items() if after < day and self.stamp(day) <= now.timestamp()}
        return math.prod(old / new for new, old in begun.values())

    def view(self, now: dt.datetime, *, adjusted: bool = True) -> list[tuple[dt.date, list[Any]]]:
        """Day and [stamp, open, high, low, close, volume] of every bar begun by `now`, `adjusted` as Yahoo does."""
        rows = []
        for day, (opened, high, low, close, volume) in self.bars.items():
            if self.stamp(day) > now.timestamp():
                break
            factor = self.split_factor(day, now) if adjusted else 1.0
            half = now.timestamp() < self.stamp(day, close=True)
            prices = [price * factor for price in (opened, high, low, (opened + close) / 2 if half else close)]
            rows.append((day, [self.stamp(day), *prices, int(volume / factor / (2 if half else 1))]))
        return rows


@dataclass
class Fault:
    """A bad answer, given `times` times to requests for a symbol (or any)."""

    kind: str
    symbol: str | None = None
    times: int = 1


class LoopbackYahoo:
    """The server, its instruments, its faults and the log of the requests that reached it."""

    def __init__(self, instruments: list[Instrument]) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.now: dt.datetime | None = None
        self.faults: list[Fault] = []
        self.log: list[dict[str, Any]] = []
        self.draw = np.random.default_rng(11)
        self.authority, certificate, key = make_certificates()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.set_alpn_protocols(["http/1.1"])
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"yahoo": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault(self, kind: str, symbol: str | None = None, times: int = 1) -> None:
        self.faults.append(Fault(kind, symbol, times))

    def charts(self, symbol: str) -> list[dict[str, Any]]:
        """The requests for a symbol's daily bars, its time zone's not counted."""
        return [seen for seen in self.log if seen["path"] == CHART + symbol and "period1" in seen["query"]]

    def environment(self) -> dict[str, str]:
        proxy = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), self.url)
        trust = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(self.authority))
        return proxy | trust | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")

    def note(self, **seen: Any) -> None:
        with self._lock:
            self.log.append(seen)

    def take_fault(self, symbol: str | None) -> str | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.symbol in (None, symbol):
                    fault.times -= 1
                    return fault.kind
        return None

    def chart(self, symbol: str, query: Mapping[str, str], kind: str | None) -> tuple[int, dict[str, Any]]:
        """Yahoo's answer to a chart request, with the fault `kind` in it."""
        if kind == "delisted" or symbol not in self.instruments:
            return 404, _refusal("Not Found", "No data found, symbol may be delisted")
        if kind == "noresult":
            return 200, {"chart": {"result": None, "error": None}}
        instrument, now = self.instruments[symbol], self.now or dt.datetime.now(dt.UTC)
        if kind == "stale":
            now -= dt.timedelta(days=7)
        if kind == "othersymbol":
            instrument = next(other for name, other in self.instruments.items() if name != symbol)
        rows = instrument.view(now, adjusted=kind != "unadjusted")
        if "range" in query:
            rows = rows[-1:]
        else:
            since, until = int(query["period1"]), int(query["period2"])
            if kind == "nodata" or not rows or since > now.timestamp() or until < rows[0][1][0]:
                return 400, _refusal("Bad Request", f"Data doesn't exist for startDate = {since}, endDate = {until}")
            rows = [row for row in rows if since <= row[1][0] < until]
        result: dict[str, Any] = {"meta": _meta(instrument, now)}
        if not rows or kind == "empty":
            result["indicators"] = {"quote": [{}], "adjclose": [{}]}
            return 200, {"chart": {"result": [result], "error": None}}
        days = [day for day, _ in rows]
        table = SPOILED.get(kind or "", lambda rows, _: rows)([values for _, values in rows], self.draw)
        events = _events(instrument, days, now)
        if events and kind != "splitless":
            result["events"] = events
        stamps, opened, high, low, close, volume = (list(column) for column in zip(*table, strict=True))
        result["timestamp"] = stamps
        quote = {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
        result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": close}]}
        break_shape(result, kind)
        return 200, {"chart": {"result": [result], "error": None}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    yahoo: LoopbackYahoo
    host = "direct"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The log that counts is the server's own."""

    def do_CONNECT(self) -> None:
        host = self.path.rsplit(":", 1)[0]
        if host != "yahoo.com" and not host.endswith(".yahoo.com"):
            self.yahoo.note(host=host, path="CONNECT", query={}, refused=True)
            self.send_error(403)
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()
        self.connection, self.host = self.yahoo.tls.wrap_socket(self.connection, server_side=True), host
        self.rfile, self.wfile = self.connection.makefile("rb", -1), self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        symbol = url.path.removeprefix(CHART) if url.path.startswith(CHART) else None
        kind = self.yahoo.take_fault(symbol) if symbol and "period1" in query else None
        self.yahoo.note(host=self.host, path=url.path, query=query, fault=kind)
        if kind in BAD_ANSWERS:
            self.answer(*BAD_ANSWERS[kind])
        elif kind == "close":
            self.close_connection = True
            self.connection.close()
        elif kind == "hang":
            time.sleep(2)
            self.close_connection = True
        elif symbol:
            status, content = self.yahoo.chart(symbol, query, kind)
            self.answer(status, json.dumps(content), cut=kind == "truncated")
        elif url.path == "/v1/test/getcrumb":
            self.answer(200, "loopCrumb01")
        elif self.host == "fc.yahoo.com":
            self.answer(404, "", cookie=COOKIE)
        else:
            self.answer(
                404, '{"finance":{"result":null,"error":{"code":"Not Found","description":"no such endpoint"}}}'
            )

    do_POST = do_GET  # noqa: N815

    def answer(self, status: int, body: str, *, cut: bool = False, cookie: str = "") -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut


def _refusal(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def _meta(instrument: Instrument, now: dt.datetime) -> dict[str, Any]:
    today = now.astimezone(instrument.zone).date()
    begin, end = instrument.stamp(today), instrument.stamp(today, close=True)
    offset = int(now.astimezone(instrument.zone).utcoffset().total_seconds())  # type: ignore[union-attr]
    period = {"timezone": "X", "start": begin, "end": end, "gmtoffset": offset}
    return {
        "currency": "USD", "symbol": instrument.symbol, "exchangeName": "LOOP", "gmtoffset": offset, "timezone": "X",
        "instrumentType": "CRYPTOCURRENCY" if instrument.coin else "EQUITY", "regularMarketTime": int(now.timestamp()),
        "exchangeTimezoneName": instrument.zone.key, "priceHint": 2, "dataGranularity": "1d", "range": "",
        "firstTradeDate": instrument.stamp(min(instrument.bars)),
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period}, "validRanges": ["1d", "max"],
    }  # fmt: skip


def _events(instrument: Instrument, days: list[dt.date], now: dt.datetime) -> dict[str, Any]:
    def begun(day: dt.date) -> bool:
        return days[0] <= day <= days[-1] and instrument.stamp(day) <= now.timestamp()

    dividends = {
        str(instrument.stamp(day)): {"amount": cash * instrument.split_factor(day, now), "date": instrument.stamp(day)}
        for day, cash in instrument.dividends.items()
        if begun(day)
    }
    splits = {
        str(instrument.stamp(day)): {
            "date": instrument.stamp(day), "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}",
        }
        for day, (new, old) in instrument.splits.items()
        if begun(day)
    }  # fmt: skip
    return {name: events for name, events in (("dividends", dividends), ("splits", splits)) if events}


@cache
def make_certificates() -> tuple[Path, Path, Path]:
    """A throw-away authority, and a certificate for *.yahoo.com under it; once, for curl reads it once."""
    folder = Path(mkdtemp(prefix="loopback-yahoo-"))
    authority, certificate, key = folder / "ca.pem", folder / "yahoo.pem", folder / "yahoo.key"
    authority_key, request, extensions = folder / "ca.key", folder / "yahoo.csr", folder / "extensions.cnf"
    names = "subjectAltName=DNS:yahoo.com,DNS:*.yahoo.com,DNS:*.finance.yahoo.com\nextendedKeyUsage=serverAuth\n"
    extensions.write_text(names, encoding="utf-8")
    extended = f"-extfile {extensions} -out {certificate}"
    signed = f"-CA {authority} -CAkey {authority_key} -CAcreateserial"
    usage = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
    for command in (
        f"req -x509 -subj /CN=loop -newkey rsa:2048 -nodes -days 30 {usage} -keyout {authority_key} -out {authority}",
        f"req -newkey rsa:2048 -nodes -subj /CN=yahoo.com -keyout {key} -out {request}",
        f"x509 -req -in {request} {signed} -days 30 {extended}",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    return authority, certificate, key


@contextmanager
def running_yahoo(folder: Path, instruments: list[Instrument]) -> Iterator[LoopbackYahoo]:
    """A running loopback Yahoo, with the environment that leads yfinance to it and nowhere else."""
    yahoo = LoopbackYahoo(instruments)
    try:
        with mock.patch.dict(os.environ, yahoo.environment() | {"XDG_CACHE_HOME": str(folder / "cache")}):
            yield yahoo
    finally:
        yahoo.close()
