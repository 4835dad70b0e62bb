"""What Postgres, the store and DuckDB report of a lake, as one paragraph without a secret; and whether it passes.

What passes by itself, such as a server that is started again, is worth another attempt.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

import duckdb
import psycopg2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.lake.catalogue import Catalogue

T = TypeVar("T")

RETRIED_FOR = 180.0
"""Seconds for which what was lost is tried again."""

OF_A_QUERY = (
    duckdb.BinderException, duckdb.CatalogException, duckdb.ConstraintException, duckdb.ConversionException,
    duckdb.NotImplementedException, duckdb.OutOfMemoryException, duckdb.OutOfRangeException, duckdb.ParserException,
    duckdb.TypeMismatchException,
)  # fmt: skip
"""What DuckDB raises for a query that is wrong: it would be wrong again."""

LOST = ("unsuccessful query result", "Postgres", "postgres", "DuckLake")
"""In other errors: the connection broke within a query."""

LASTING = (
    "password authentication failed", "no pg_hba.conf entry", "permission denied", "does not exist", "Forbidden",
    "NoSuchBucket", "HTTP 404", "No space left", "Insufficient Storage", "does not match existing data path",
)  # fmt: skip
"""What would be the same at the next attempt."""

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

FIX = (
    "See that Postgres and the store are running and can be reached, that MARKET_PIPELINE_WAREHOUSE and "
    "MARKET_PIPELINE_STORE name them, and that the AWS_* variables are those of the store (market-pipeline doctor "
    "looks at each), then run the command again; what was stored is whole."
)

LOG = logging.getLogger(__name__)


class LostError(WarehouseError):
    """What was asked of the lake was lost on the way; it may succeed at the next attempt."""


@contextmanager
def explained(catalogue: Catalogue) -> Iterator[None]:
    """Raise WarehouseError in the place of what the engines raise of a lake: LostError where it may pass.

    The error of a query that is wrong stays as it is, but for secrets in it.
    """
    try:
        yield
    except (duckdb.Error, psycopg2.Error) as error:
        text = redacted(" ".join(str(error).split()), catalogue.secrets)
        if isinstance(error, OF_A_QUERY):
            if text == " ".join(str(error).split()):
                raise
            raise type(error)(text) from None
        kind = LostError if passes(error) else WarehouseError
        raise kind(f"The lake cannot be used: {text} {FIX}") from None


def passes(error: Exception) -> bool:
    """Whether an error of an engine is of a lost connection, a server that is down, or a conflict of two writers."""
    text = str(error)
    if any(words in text for words in LASTING):
        return False
    if isinstance(error, psycopg2.Error):
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    lost = isinstance(error, duckdb.IOException | duckdb.TransactionException) or type(error) is duckdb.Error
    return lost or any(words in text for words in LOST)


def redacted(text: str, secrets: Sequence[str]) -> str:
    """A text without secrets, however they are quoted in it.

    >>> redacted("password=it''s and it%27s at key", ["it's"])
    'password=*** and *** at key'
    """
    hidden = [*secrets, *(os.environ[name] for name in CREDENTIALS if os.environ.get(name))]
    for secret in sorted(hidden, key=len, reverse=True):
        plain = " ".join(secret.split())
        escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
        for form in (plain, secret.replace("'", "''"), escaped, escaped.replace("'", "''"), quote(secret, safe="")):
            text = text.replace(form, "***")
    return text


def persistently(do: Callable[[], T], *, seconds: float = RETRIED_FOR) -> T:
    """The result of `do`, which is called again with random waits while it is LostError, for some seconds."""
    attempts = Retrying(
        retry=retry_if_exception_type(LostError),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        before_sleep=_noted,
        reraise=True,
    )
    result: T = attempts(do)
    return result


def _noted(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    LOG.warning("Attempt %d failed and is repeated: %s", state.attempt_number, error)
