"""The machine around a home: may it be written, is there room, is the port free, does the way to Yahoo look open."""

import os
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from market_pipeline.cli.doctor.finding import Finding

LEAST_FREE = 2 * 10**9
"""Bytes of free disk below which a backfill may not end."""

YAHOO_HOSTS = ("fc.yahoo.com", "query1.finance.yahoo.com", "query2.finance.yahoo.com")
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
HERE = "127.0.0.1"


def home(folder: Path) -> Finding:
    """Whether the home, or the folder that it will be made in, takes files."""
    there = _existing(folder)
    if not there.is_dir():
        words = f"{there} is a file, and {folder} is to be a folder. Set MARKET_PIPELINE_HOME to another."
        return Finding("home", well=False, words=words)
    foreign = [path for path in (there, *_ours(folder)) if not os.access(path, os.W_OK)]
    if foreign:
        words = f"{foreign[0]} cannot be written by this user. Make it yours (chown), or set MARKET_PIPELINE_HOME."
        return Finding("home", well=False, words=words)
    return Finding("home", well=True, words=f"{folder} can be written")


def disk(folder: Path) -> Finding:
    """Whether there is room for a backfill."""
    there = _existing(folder)
    free = shutil.disk_usage(there).free
    words = f"{free / 1e9:.1f} GB free at {there}"
    mend = f"{words}. A backfill wants {LEAST_FREE / 1e9:.0f} GB: free some, or move the home with MARKET_PIPELINE_HOME"
    return Finding("disk", well=free >= LEAST_FREE, words=words if free >= LEAST_FREE else mend)


def taken(port: int) -> bool:
    """Whether something listens on this port of the machine itself."""
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex((HERE, port)) == 0


def server(port: int) -> Finding:
    """Whether the web server can have its port, or has it."""
    if not taken(port):
        return Finding("port", well=True, words=f"{port} is free for the Dagster UI: market-pipeline ui")
    if _is_dagster(port):
        return Finding("port", well=True, words=f"a Dagster UI answers at http://{HERE}:{port}")
    words = f"{port} is taken by another program. Choose one: market-pipeline ui --port {port + 1}"
    return Finding("port", well=False, words=words)


def network(environment: Mapping[str, str]) -> Finding:
    """Whether the names that Yahoo is asked by lead anywhere; asks the resolver only, Yahoo nothing."""
    for name in CERTIFICATES:
        if environment.get(name) and not Path(environment[name]).is_file():
            words = f"{name} names {environment[name]}, which does not exist, so every request to Yahoo fails. "
            mend = "Point it at your company's CA file (PEM), or unset it."
            return Finding("network", well=False, words=words + mend)
    if any(environment.get(name) for name in PROXIES):
        words = "Yahoo is asked through the proxy of this environment; if requests fail on its certificate, name your "
        return Finding("network", well=True, words=words + "company's CA file (PEM) in SSL_CERT_FILE")
    for host in YAHOO_HOSTS:
        try:
            found = {ip_address(str(entry[4][0])) for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
        except socket.gaierror:
            words = f"{host} cannot be looked up. Check the connection and the DNS, name a proxy in https_proxy, or "
            return Finding("network", well=False, words=words + "let an ad-blocking DNS pass yahoo.com.")
        if any(address.is_unspecified or address.is_loopback for address in found):
            words = f"{host} leads nowhere (0.0.0.0 or this machine): an ad-blocking DNS or hosts file stops it. "
            return Finding("network", well=False, words=words + f"Let {host} pass.")
    return Finding("network", well=True, words="the names of Yahoo's servers are known; nothing was asked of them")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _ours(folder: Path) -> list[Path]:
    """What runs write in a home."""
    names = ("warehouse.duckdb", "models", "dagster", "report.html", "mart.duckdb")
    return [folder / name for name in names if (folder / name).exists()]


def _is_dagster(port: int) -> bool:
    with suppress(URLError, OSError), urlopen(f"http://{HERE}:{port}/server_info", timeout=2) as answer:
        return b"dagster" in answer.read(1000)
    return False
