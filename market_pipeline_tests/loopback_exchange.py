"""A loopback exchange that the real ccxt client talks to: the products, candles and faults of Coinbase Exchange."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Candle = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


@dataclass
class LoopbackExchange:
    """`candles` per product such as BTC-USD; `faults` are answered first, one per request for candles."""

    candles: dict[str, dict[dt.date, Candle]]
    faults: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    hours: int = 0
    """Hour of the day, UTC, at which its days begin."""
    address: str = ""

    def answer(self, path: str) -> tuple[int, str]:
        url = urlsplit(path)
        if url.path == "/products":
            return 200, json.dumps([_product(name) for name in self.candles])
        if url.path == "/currencies":
            return 200, "[]"
        if self.faults:
            return self.faults.pop(0)
        product, query = url.path.split("/")[2], parse_qs(url.query)
        self.asked.append(product)
        first, last = (dt.datetime.fromisoformat(query[key][0]).date() for key in ("start", "end"))
        rows = [
            [_stamp(day, self.hours), low, high, opened, close, volume]
            for day, (opened, high, low, close, volume) in self.candles[product].items()
            if first <= day <= last
        ]
        return 200, json.dumps(rows[::-1])


def _stamp(day: dt.date, hours: int) -> int:
    return int(dt.datetime(day.year, day.month, day.day, hours, tzinfo=dt.UTC).timestamp())


def _product(name: str) -> dict[str, Any]:
    base, quote = name.split("-")
    return {
        "id": name, "base_currency": base, "quote_currency": quote, "quote_increment": "0.01",
        "base_increment": "0.00000001", "display_name": f"{base}/{quote}", "min_market_funds": "1", "status": "online",
        "margin_enabled": False, "trading_disabled": False,
    }  # fmt: skip


@contextmanager
def running_exchange(candles: dict[str, dict[dt.date, Candle]]) -> Iterator[LoopbackExchange]:
    exchange = LoopbackExchange(candles)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            status, body = exchange.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    exchange.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()


def steady(first: dt.date, days: int, level: float) -> dict[dt.date, Candle]:
    """Candles around a level that rises by a thousandth a day."""
    closes = [level * 1.001**day for day in range(days)]
    return {
        first + dt.timedelta(days=day): (close, close * 1.01, close * 0.99, close, 10.0)
        for day, close in enumerate(closes)
    }
