"""Every way in which an answer of Yahoo has been, or may be, bad; each by the name of its kind."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BAD_ANSWERS: dict[str, tuple[int, str]] = {
    "429": (429, "Too Many Requests\r\n"),
    "401": (401, '{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}'),
    "403": (403, "<html><body>Forbidden</body></html>"),
    "404html": (404, "<html><body>Not found on this server</body></html>"),
    "500": (500, '{"finance":{"error":{"code":"internal-error"}}}'),
    "502html": (502, "<html><body>502 Bad Gateway</body></html>"),
    "503": (503, '{"finance":{"error":{"code":"unavailable"}}}'),
    "down": (200, "<html>Will be right back...</html>"),
    "consent": (200, "<html><title>Yahoo is part of the Yahoo family of brands</title><form>Accept all</form></html>"),
    "garbage": (200, "\x00not json"),
    "nothing": (200, ""),
    "emptyjson": (200, "{}"),
    "nullchart": (200, '{"chart": null}'),
}
"""Answers that are none."""

SPOILED: dict[str, Callable[[list[list[Any]], np.random.Generator], list[list[Any]]]] = {
    "nulls": lambda rows, _: _one(rows, lambda row: [row[0], *[None] * 5]),
    "lastnull": lambda rows, _: [*rows[:-1], [rows[-1][0], *[None] * 5]],
    "volume_only": lambda rows, _: _one(rows, lambda row: [row[0], *[None] * 4, row[5]]),
    "onenull": lambda rows, _: _one(rows, lambda row: [*row[:4], None, row[5]]),
    "missing": lambda rows, _: [row for row in rows if row is not rows[3 * len(rows) // 4]],
    "dup": lambda rows, _: [*rows, [rows[-1][0] + 60, *rows[-1][1:5], rows[-1][5] + 1]],
    "x100": lambda rows, _: _one(rows, lambda row: [row[0], *(price * 100 for price in row[1:5]), row[5]]),
    "pence": lambda rows, _: [[row[0], *(price * 100 for price in row[1:5]), row[5]] for row in rows],
    "currency": lambda rows, _: [[row[0], *(price * 1.36 for price in row[1:5]), row[5]] for row in rows],
    "zero": lambda rows, _: _one(rows, lambda row: [row[0], 0, 0, 0, 0, row[5]]),
    "negative": lambda rows, _: _one(rows, lambda row: [row[0], *(-price for price in row[1:5]), row[5]]),
    "infinite": lambda rows, _: _one(rows, lambda row: [*row[:2], float("inf"), *row[3:]]),
    "highlow": lambda rows, _: _one(rows, lambda row: [*row[:2], row[3], row[2], *row[4:]]),
    "outside": lambda rows, _: _one(rows, lambda row: [*row[:4], row[2] * 1.2, row[5]]),
    "minusvolume": lambda rows, _: _one(rows, lambda row: [*row[:5], -row[5]]),
    "words": lambda rows, _: _one(rows, lambda row: [*row[:4], "n/a", row[5]]),
    "saturday": lambda rows, _: [*rows, *[[row[0] + _to_saturday(row[0]), *row[1:]] for row in rows[-6:-5]]],
    "future": lambda rows, _: [*rows, [int(time.time()) + 86400, *rows[-1][1:]]],
    "backwards": lambda rows, _: rows[::-1],
    "noise": lambda rows, draw: [
        [row[0], *(value * (1 + 3e-7 * draw.normal()) for value in row[1:5]), row[5]] for row in rows
    ],
    "revolume": lambda rows, _: _one(rows, lambda row: [*row[:5], int(row[5] * 1.02)]),
}
"""What may be wrong in the rows of an answer: [stamp, open, high, low, close, volume] each, oldest first."""

SHAPES = ("ragged", "noquote", "nocolumn", "nullstamps", "adjinf", "nometa")
"""Kinds of answers whose form is broken."""

OTHERS = (
    "close", "hang", "truncated", "empty", "noresult", "delisted", "nodata", "stale", "othersymbol", "unadjusted",
    "splitless",
)  # fmt: skip
"""What the server itself does."""

KINDS = (*BAD_ANSWERS, *SPOILED, *SHAPES, *OTHERS)


def _one(rows: list[list[Any]], spoil: Callable[[list[Any]], list[Any]]) -> list[list[Any]]:
    """The rows, the one at three quarters of them spoiled."""
    place = 3 * len(rows) // 4
    return [*rows[:place], spoil(rows[place]), *rows[place + 1 :]]


def _to_saturday(stamp: int) -> int:
    """Seconds from a stamp to the same time on the next Saturday."""
    return 86400 * ((5 - dt.datetime.fromtimestamp(stamp, dt.UTC).weekday()) % 7)


def break_shape(result: dict[str, Any], kind: str | None) -> None:
    """Spoil the shape of a chart's result, in place; SHAPES are the kinds."""
    quote = result["indicators"]["quote"][0]
    if kind == "ragged":
        quote["close"] = quote["close"][:-3]
    elif kind == "noquote":
        result["indicators"]["quote"] = []
    elif kind == "nocolumn":
        del quote["low"]
    elif kind == "nullstamps":
        result["timestamp"] = [None] * len(result["timestamp"])
    elif kind == "adjinf":
        result["indicators"]["adjclose"][0]["adjclose"] = ["Infinity"] * len(quote["close"])
    elif kind == "nometa":
        result["meta"] = {}
