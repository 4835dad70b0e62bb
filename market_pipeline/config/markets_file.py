"""The TOML file of markets: reading it, and what is wrong with it.

What each key takes is declared by the fields of Market; messages and the reference page are derived from them.
"""

import datetime as dt
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from market_pipeline.config.markets import FIRST_DAY, Market
from market_pipeline.config.portfolios import KINDS as KINDS_OF_PORTFOLIOS
from market_pipeline.config.portfolios import portfolios_of
from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text in quotes",
    "date": f"a date from {FIRST_DAY} on, without quotes",
}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}

LONGEST = 60
"""Characters of a value that a message shows."""


LONGEST_NAME = 40
"""Characters of a market's name: Dagster tags runs with it, and a tag has 63 at most."""


def configured_markets(settings: Settings) -> tuple[Market, ...]:
    """Every market of the configured file, or of the packaged one."""
    markets = load_markets(settings.config or packaged_config(settings.source))
    for market in markets:
        if settings.source == "exchange" and market.cross_check == market.exchange:
            raise ConfigurationError(
                f"[{market.name}]: prices come from {market.exchange}, and cross_check names it again, so they would "
                "always agree. Name another exchange in cross_check, or in exchange."
            )
    return markets


def packaged_config(source: str) -> Path:
    """The markets file used when none is configured: a real universe, or the simulated one."""
    name = "simulated.toml" if source == "simulated" else "markets.toml"
    return Path(str(files("market_pipeline.config"))) / name


def load_markets(path: Path) -> tuple[Market, ...]:
    """Every market that the file declares, in its order; raises ConfigurationError naming market, key and value."""
    return tuple(_market(path, name, table) for name, table in read_tables(path).items())


def read_tables(path: Path) -> dict[str, Any]:
    """Each market's name and its table, unchecked; raises ConfigurationError for a file that is no TOML."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"The markets file {path} does not exist. Check MARKET_PIPELINE_CONFIG.") from None
    except OSError as error:
        reason = f"The markets file {path} cannot be read: {error.strerror}. Check MARKET_PIPELINE_CONFIG."
        raise ConfigurationError(reason) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from None
    if not tables:
        raise ConfigurationError(f"{path} declares no market. Add a table such as [stocks].")
    return tables


@cache
def keys() -> dict[str, dict[str, Any]]:
    """The JSON schema of each key of a market's table: description, type, bounds, default, examples."""
    properties: dict[str, dict[str, Any]] = TypeAdapter(Market).json_schema()["properties"]
    return {key: schema for key, schema in properties.items() if key != "name"}


def example_of(schema: Mapping[str, Any]) -> str:
    """The declared example of a key as TOML spells it, else its default."""
    return str(schema["examples"][0]) if "examples" in schema else json.dumps(schema["default"])


def wanted(schema: Mapping[str, Any]) -> str:
    """What a key takes.

    >>> wanted(keys()["schedule_hour"])
    'a whole number at least 0 and at most 23'
    """
    schema = schema.get("anyOf", [schema])[0]
    kind = schema.get("format", schema["type"])
    if kind == "array" and schema["items"]["type"] == "portfolio":
        return f"a table of names, each with {KINDS_OF_PORTFOLIOS}"
    if kind == "array":
        return f"a list{' of one or more' if 'minItems' in schema else ''}, each {wanted(schema['items'])}"
    if kind == "object":
        return f"a table of symbols, each with {wanted(schema['additionalProperties'])}"
    bounds = [f"{word} {schema[bound]:g}" for bound, word in BOUNDS.items() if bound in schema]
    return f"{schema['title'] if 'pattern' in schema else KINDS[kind]} {' and '.join(bounds)}".rstrip()


def _market(path: Path, name: str, table: Any) -> Market:
    where = f"[{name}] in {path}"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {name!r} is outside a market. Move it below a table such as [stocks].")
    if not re.fullmatch(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        raise ConfigurationError(
            f"{where}: a market's name is up to {LONGEST_NAME} letters, digits and '_', because it names assets. It "
            "begins with a letter."
        )
    if unknown := sorted(set(table) - set(keys())):
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}. The keys are {', '.join(sorted(keys()))}.")
    given = table.get("portfolios", {})
    try:
        market = Market(name, **{key: value for key, value in table.items() if key != "portfolios"})
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_out_of_bounds(error.errors(include_url=False)[0])}") from None
    if problem := next(_contradictions(market), None):
        raise ConfigurationError(f"{where}: {problem}")
    try:
        return replace(market, portfolios=portfolios_of(given, market.symbols, path.parent))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _out_of_bounds(error: ErrorDetails) -> str:
    """One of pydantic's errors as a message: the key, its value, what it must be."""
    key, *inside = error["loc"]
    schema = keys()[str(key)]
    example = f", such as {example_of(schema)}."
    if error["type"] == "missing":
        return f"{key!r} is missing. It is {wanted(schema)}{example}"
    for part in inside:
        key = f"{key}[{_printed(part)}]"
        schema = schema.get("items") or schema["additionalProperties"]
    return f"{key} is {_printed(error['input'])}, but must be {wanted(schema)}{example}"


def _contradictions(market: Market) -> Iterator[str]:
    """What is wrong though each value is within its bounds."""
    for symbol, times in Counter(market.symbols).items():
        if times > 1:
            yield f"symbols has {symbol!r} twice. Remove one."
    for key in ("listed", "delisted", "accepted_holes"):
        for unknown in sorted(set(getattr(market, key)) - set(market.symbols)):
            yield f"{key} names {unknown!r}, which is not among the symbols."
    for symbol, day in market.listed.items():
        if day > market.delisted.get(symbol, day):
            yield f"listed has {symbol!r} from {day}, but delisted has it until {market.delisted[symbol]}."
    if market.start >= dt.datetime.now(dt.UTC).date():
        yield f"start is {market.start}, which is not in the past."
    yield from _calendar_problems(market)


def _calendar_problems(market: Market) -> Iterator[str]:
    import exchange_calendars as xc

    if market.calendar_name not in xc.get_calendar_names():
        yield (
            f"calendar is {market.calendar_name!r}, which is not a calendar of exchange_calendars. Stocks in New York "
            "are 'XNYS', Frankfurt 'XETR', London 'XLON', Tokyo 'XTKS'; crypto is '24/7'."
        )
    try:
        market.sessions_between(market.start, market.last_day)
    except (ValueError, NotImplementedError) as error:  # the library raises both
        yield (
            f"calendar is {market.calendar_name!r}, but exchange_calendars cannot make it from start, {market.start}, "
            f"to {market.last_day}: {str(error)[:200]}"
        )
    if market.calendar_name == "24/7" and market.schedule_hour < 3:
        yield (
            f"schedule_hour is {market.schedule_hour}, but the daily run of a market that never closes starts at 3 to "
            "23 UTC, because vendors need the first hours after midnight."
        )


def _printed(value: object) -> str:
    try:
        text = value.isoformat() if isinstance(value, dt.date | dt.time) else repr(value)
    except ValueError:  # Python prints no number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
