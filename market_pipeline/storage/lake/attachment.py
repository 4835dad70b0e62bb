"""A DuckDB in memory with the lake attached: one for each process, as attaching takes half a second.

Credentials of the store come from the AWS_* variables, or from the chain of DuckDB's extension `aws` without them.
"""

import os
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.lake.catalogue import Catalogue
from market_pipeline.storage.object_store import endpoint_of
from market_pipeline.storage.schema import quoted
from market_pipeline.storage.store import S3

NAME = "lake"
"""The lake within DuckDB."""

OFFLINE = {"autoinstall_known_extensions": False}

OF_THE_LAKE = ("ducklake", "postgres_scanner")
"""Extensions of DuckDB that a lake needs, wherever its store is."""

PATIENT = {"http_retries": 6, "http_retry_backoff": 3}
"""A request to the store is repeated for about 36 seconds while nobody answers."""

PACKAGES = "Install the environment of requirements-cluster.lock, or pip install 'market-pipeline[cluster]'."
INSTALL = {
    "aws": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install the extension, which finds the credentials of "
    "a machine or a profile: duckdb -c 'install aws'."
}
"""How to get an extension that is in no package."""

_open: dict[tuple[Any, ...], "duckdb.DuckDBPyConnection"] = {}
_making = threading.Lock()


@dataclass(frozen=True)
class Attachment:
    """A lake as DuckDB attaches it."""

    catalogue: Catalogue
    store: str
    config: Mapping[str, Any]

    @property
    def data(self) -> str:
        """Where the lake's files lie."""
        return f"{self.store.rstrip('/')}/lake/"

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection on which the lake's tables need no prefix; it is the caller's to close."""
        with _making:
            if self._key not in _open:
                _open[self._key] = self._attach()
            cursor = _open[self._key].cursor()
        cursor.execute(f"use {NAME}")
        return cursor

    def forget(self) -> None:
        """Let the next cursor attach the lake again."""
        with _making:
            _open.pop(self._key, None)

    @property
    def _key(self) -> tuple[Any, ...]:
        return (os.getpid(), self.catalogue, self.store, tuple(sorted(self.config.items())))

    def reach_store(self) -> None:
        """Raise DuckDB's error unless the store answers."""
        with closing(self._connected()) as connection:
            connection.execute(f"from glob({quoted(self.data + '*')})").fetchall()

    def _connected(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB that can read and write the store."""
        of_the_store = self._extensions_of_the_store()
        # A signature shows that a download is DuckDB's. Verifying those of packages takes half of the time to attach.
        unsigned = {"allow_unsigned_extensions": all(map(packaged, (*OF_THE_LAKE, *of_the_store)))}
        connection = duckdb.connect(config={**self.config, **OFFLINE, **unsigned})
        connection.execute("set enable_progress_bar = false")
        if of_the_store:
            for extension in of_the_store:
                load(connection, extension)
            connection.execute(credentials(os.environ))
        else:
            Path(self.data).mkdir(parents=True, exist_ok=True)
        return connection

    def _extensions_of_the_store(self) -> tuple[str, ...]:
        if not self.store.startswith(S3):
            return ()
        return ("httpfs",) if os.environ.get("AWS_ACCESS_KEY_ID") else ("httpfs", "aws")

    def _attach(self) -> duckdb.DuckDBPyConnection:
        connection = self._connected()
        try:
            # Else what was read from the store stays in memory up to DuckDB's limit, beside what a fit needs.
            connection.execute("set global enable_external_file_cache = false")
            for extension in OF_THE_LAKE:
                load(connection, extension)
            if self.store.startswith(S3):
                for name, value in PATIENT.items():
                    connection.execute(f"set global {name} = {value}")
            address = quoted(f"ducklake:postgres:{self.catalogue.dsn}")
            connection.execute(f"attach {address} as {NAME} (data_path {quoted(self.data)})")
        except BaseException:
            connection.close()
            raise
        return connection


def load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Load an extension from its Python package, or one that DuckDB has installed; downloads nothing."""
    if path := packaged(extension):
        connection.execute(f"load {quoted(str(path))}")
        return
    try:
        connection.execute(f"load {extension}")
    except duckdb.Error as error:
        raise WarehouseError(
            f"DuckDB {duckdb.__version__} has no extension {extension}, which the lake needs. "
            + INSTALL.get(extension, PACKAGES)
        ) from error


def packaged(extension: str) -> Path | None:
    """The file of an extension that is installed as a Python package for this DuckDB."""
    package = find_spec(f"duckdb_extension_{extension}")
    file = f"extensions/v{duckdb.__version__}/{extension}.duckdb_extension"
    paths = [Path(folder, file) for folder in (package.submodule_search_locations or ())] if package else []
    return next((path for path in paths if path.exists()), None)


def credentials(environment: Mapping[str, str]) -> str:
    """The statement that gives DuckDB the store's address and key."""
    key, secret = (environment.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if not key:
        return "create secret store (type s3, provider credential_chain)"
    named = {"key_id": key, "secret": secret}
    if token := environment.get("AWS_SESSION_TOKEN"):
        named["session_token"] = token
    named["region"] = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    if address := endpoint_of(environment):
        endpoint = urlsplit(address)
        named |= {"endpoint": endpoint.netloc, "url_style": "path", "use_ssl": str(endpoint.scheme == "https")}
    options = ", ".join(f"{name} {quoted(text)}" for name, text in named.items())
    return f"create secret store (type s3, {options})"
