"""The machine around the data: write access, free disk, the clock, the port, and the way to Yahoo."""

import datetime as dt
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from market_pipeline.cli.doctor.finding import Finding

LEAST_FREE = 2 * 10**9
"""Bytes of free disk below which a backfill may not end."""

RELEASED = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
"""A clock that shows an earlier time is wrong."""

WRITTEN = ("warehouse.duckdb", "models", "dagster", "report.html", "mart.duckdb")
"""What runs write into the data directory."""

YAHOO_HOSTS = ("fc.yahoo.com", "query1.finance.yahoo.com", "query2.finance.yahoo.com")
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
LOCALHOST = "127.0.0.1"


def write_access(folder: Path) -> Finding:
    """Whether the data directory, or the folder that it will be created in, can be written."""
    there, subject = _existing(folder), "data directory"
    if not there.is_dir():
        message = f"{there} is a file, but {folder} must be a folder. Set MARKET_PIPELINE_HOME to another."
        return Finding(subject, False, message)
    for path in (there, *(folder / name for name in WRITTEN if (folder / name).exists())):
        if not os.access(path, os.W_OK):
            message = f"{path} cannot be written by this user. Change its owner (chown), or set MARKET_PIPELINE_HOME."
            return Finding(subject, False, message)
    return Finding(subject, True, f"{folder} can be written")


def disk(folder: Path) -> Finding:
    """Whether there is enough free disk for a backfill."""
    there = _existing(folder)
    free = shutil.disk_usage(there).free
    message = f"{free / 1e9:.1f} GB free at {there}"
    if free < LEAST_FREE:
        message += (
            f". A backfill needs {LEAST_FREE / 1e9:.0f} GB: free some, or use another disk (MARKET_PIPELINE_HOME)"
        )
    return Finding("disk", free >= LEAST_FREE, message)


def clock(now: dt.datetime, bars_read_at: dt.datetime | None = None) -> Iterator[Finding]:
    """A clock that is behind, by which sessions would count as not closed."""
    earlier = bars_read_at or RELEASED
    if now < earlier - dt.timedelta(minutes=1):
        event = "the newest bars were read" if bars_read_at else "this program was released"
        message = f"it is {now:%Y-%m-%d %H:%M} UTC, but {event} at {earlier:%Y-%m-%d %H:%M} UTC. Set the clock (NTP)."
        yield Finding("clock", False, message)


def is_taken(port: int) -> bool:
    """Whether something listens on this port of the machine itself."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOCALHOST, port)) == 0


def web_server(port: int) -> Finding:
    """Whether the web server has its port, or can have it."""
    if not is_taken(port):
        return Finding("port", True, f"{port} is free for the Dagster UI: market-pipeline ui")
    with suppress(URLError, OSError), urlopen(f"http://{LOCALHOST}:{port}/server_info", timeout=2) as answer:
        if b"dagster" in answer.read(1000):
            return Finding("port", True, f"a Dagster UI answers at http://{LOCALHOST}:{port}")
    return Finding("port", False, f"another program has {port}. Choose one: market-pipeline ui --port {port + 1}")


def network(environment: Mapping[str, str]) -> Finding:
    """Whether the names of Yahoo's servers resolve; queries the resolver, and sends Yahoo nothing."""
    for name in CERTIFICATES:
        if environment.get(name) and not Path(environment[name]).is_file():
            message = f"{name} names {environment[name]}, which does not exist, so every request to Yahoo fails. "
            return Finding("network", False, message + "Set it to your company's CA file (PEM), or unset it.")
    if any(environment.get(name) for name in PROXIES):
        message = "requests to Yahoo go through the proxy of this environment; if they fail on its certificate, set "
        return Finding("network", True, message + "SSL_CERT_FILE to your company's CA file (PEM)")
    for host in YAHOO_HOSTS:
        try:
            found = {ip_address(str(entry[4][0])) for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
        except socket.gaierror:
            message = f"{host} cannot be looked up. Check the connection and the DNS, name a proxy in https_proxy, or "
            return Finding("network", False, message + "let an ad-blocking DNS pass yahoo.com.")
        if any(address.is_unspecified or address.is_loopback for address in found):
            message = f"{host} leads nowhere (0.0.0.0 or this machine): an ad-blocking DNS or hosts file stops it. "
            return Finding("network", False, message + f"Let {host} pass.")
    return Finding("network", True, "the names of Yahoo's servers resolve; no request was sent")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
