"""Requests behind a reverse proxy and through a tunnel; what a real server refuses is in test_ui.py."""

import asyncio
from typing import Any

import pytest

from market_pipeline.orchestration.server.access import guarded

PUBLIC = "https://market.example.com"


async def inner(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def status(public_url: str | None, host: str, origin: str | None, method: str = "POST") -> int:
    """The status of the answer to a GraphQL request."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {"host": host, "content-type": "application/json; charset=utf-8"} | ({"origin": origin} if origin else {})
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/graphql", "headers": raw}
    asyncio.run(guarded(inner, public_url)(scope, lambda: None, send))  # type: ignore[arg-type,return-value]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("public_url", "host", "origin", "expected"),
    [
        (PUBLIC, "market.example.com", PUBLIC, 200),
        (PUBLIC, "127.0.0.1:3000", PUBLIC, 200),  # a proxy that does not pass Host on
        (PUBLIC, "market.example.com", "https://evil.example.com", 403),
        (PUBLIC, "evil.example.com", None, 400),
        (None, "market.example.com", PUBLIC, 400),
        (None, "127.0.0.1:3000", PUBLIC, 403),
        (None, "localhost:3001", "http://localhost:3001", 200),  # the other end of a tunnel
        (None, "[::1]:3000", "http://[::1]:3000", 200),
        (None, "localhost:3000", "http://localhost:8000", 403),  # another server of this machine
        (None, "localhost:3000", None, 200),  # a program
    ],
)
def test_host_and_origin(public_url: str | None, host: str, origin: str | None, expected: int) -> None:
    assert status(public_url, host, origin) == expected


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_graphql_is_answered_by_post_only(method: str) -> None:
    assert status(None, "localhost:3000", None, method) == 405
