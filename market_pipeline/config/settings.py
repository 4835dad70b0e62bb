"""Settings of the environment: where data is stored, and where prices come from.

Knows nothing of markets, Dagster or DuckDB.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, TypeAdapter
from pydantic.dataclasses import dataclass

from market_pipeline.config.places import PREFIX, SOURCES, data_directory, remembered_source, store_of
from market_pipeline.errors import ConfigurationError

LAKE = "ducklake:postgres:"
LOCAL = "local"
DEFAULT_PORTS = {"http": 80, "https": 443}
"""Ports that browsers leave out."""

READ_ELSEWHERE = {
    "models": "Forecasters to add, each `my_module:MODEL` or `/path/to/file.py:MODEL`, separated by spaces. "
    "Unset: the built-in models only.",
    "traceback": "Set to 1, a bug of the program is shown with its traceback. Unset: in one paragraph.",
}
"""Variables that are no field of Settings."""


@dataclass(frozen=True, config=ConfigDict(use_attribute_docstrings=True))
class Settings:
    """What the environment configures; a field's variable is its name in capitals after MARKET_PIPELINE_."""

    home: Path
    """The data directory: `warehouse.duckdb`, `mart.duckdb`, `models/`, `report.html`, `dagster/`; it has data of one
    source. Unset: `./data`."""
    source: Annotated[
        str,
        Field(
            description=f"Where prices come from: {', '.join(SOURCES)}. Unset: the source that the data directory was "
            "made with, else yahoo."
        ),
    ]
    files: Path | None = None
    """The folder of CSV or Parquet files that the `files` source reads."""
    config: Path | None = None
    """A TOML file of markets. Unset: the packaged universe."""
    alerts: tuple[SecretStr, ...] = ()
    """Addresses of Apprise, separated by spaces; no error and no log shows them, as they hold passwords. Unset: no
    alerts."""
    public_url: str | None = None
    """The address of the UI at a reverse proxy, such as https://market.example.com. Unset: the UI answers on this
    machine only."""
    warehouse: SecretStr | None = None
    """The lake of several machines, `ducklake:postgres:<connection>`, its catalogue in Postgres. Unset: the file
    `warehouse.duckdb` in the data directory."""
    store: str | None = None
    """Where the lake's data, the models, the mart and the report are: `s3://bucket/prefix`, or a folder that every
    machine has. Needed with MARKET_PIPELINE_WAREHOUSE; readers of the mart need it alone. Unset: the data directory."""
    compute: str = LOCAL
    """Where models are fitted and runs are executed: `local`, or the address of a Ray cluster, such as
    `ray://head:10001` or `auto`. Unset: local."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the MARKET_PIPELINE_* variables; an empty variable counts as unset."""

        def path(name: str) -> Path | None:
            value = environment.get(PREFIX + name)
            return Path(value).absolute() if value else None

        home, files = data_directory(environment), path("FILES")
        if pattern := set(str(home)) & set("?*["):
            raise ConfigurationError(
                f"The data directory {home} has {min(pattern)!r} in its path, which Dagster takes for a pattern. Set "
                "MARKET_PIPELINE_HOME to another."
            )
        source = environment.get("MARKET_PIPELINE_SOURCE") or remembered_source(home) or "yahoo"
        if source not in SOURCES:
            raise ConfigurationError(
                f"MARKET_PIPELINE_SOURCE is {source!r}, but the sources are {', '.join(SOURCES)}. "
                "Set it to one of them."
            )
        if source == "files" and not files:
            raise ConfigurationError(
                "MARKET_PIPELINE_SOURCE is 'files', but MARKET_PIPELINE_FILES is not set. "
                "Set it to the folder that holds the CSV or Parquet files."
            )
        alerts = tuple(map(SecretStr, environment.get("MARKET_PIPELINE_ALERTS", "").split()))
        lake, store = lake_of(environment)
        compute = environment.get("MARKET_PIPELINE_COMPUTE") or LOCAL
        return cls(home, source, files, path("CONFIG"), alerts, public_url(environment), lake, store, compute)

    @property
    def warehouse_file(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"


def variables() -> dict[str, str]:
    """Each variable of the environment and what it sets."""
    schema = TypeAdapter(Settings).json_schema()["properties"]
    meanings = {name: " ".join(field["description"].split()) for name, field in schema.items()} | READ_ELSEWHERE
    return {PREFIX + name.upper(): meaning for name, meaning in meanings.items()}


def public_url(environment: Mapping[str, str]) -> str | None:
    """The origin of MARKET_PIPELINE_PUBLIC_URL, as browsers write it; None when it is unset.

    >>> public_url({"MARKET_PIPELINE_PUBLIC_URL": "https://Market.example.com:443/"})
    'https://market.example.com'
    """
    text = environment.get("MARKET_PIPELINE_PUBLIC_URL")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        parts, port = urlsplit(""), ""
    whole = parts.scheme in DEFAULT_PORTS and parts.hostname and not parts.username
    if not whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigurationError(
            "MARKET_PIPELINE_PUBLIC_URL is no address of a site. Set it to scheme and host, and a port if it has one, "
            "such as https://market.example.com."
        )
    return f"{parts.scheme}://{parts.hostname}{port}"


def lake_of(environment: Mapping[str, str]) -> tuple[SecretStr | None, str | None]:
    """MARKET_PIPELINE_WAREHOUSE and MARKET_PIPELINE_STORE; raises ConfigurationError unless both or none are set.

    >>> lake_of({})
    (None, None)
    """
    lake, store = environment.get("MARKET_PIPELINE_WAREHOUSE"), store_of(environment)
    if lake and not lake.startswith(LAKE):
        raise ConfigurationError(
            f"MARKET_PIPELINE_WAREHOUSE does not begin with {LAKE} (its value is not shown, as it may hold a "
            f"password). Set it to that and a connection of Postgres, such as {LAKE}'host=catalog dbname=market', or "
            "unset it to use the file in the data directory."
        )
    if bool(lake) != bool(store):
        present, absent = ("WAREHOUSE", "STORE") if lake else ("STORE", "WAREHOUSE")
        raise ConfigurationError(
            f"MARKET_PIPELINE_{present} is set, but MARKET_PIPELINE_{absent} is not. Set both for several machines, or "
            "none of them. With the store alone, the published mart can be read, and nothing else."
        )
    return (SecretStr(lake), store) if lake else (None, None)
