"""The lock of a market's runs: a file on one host, an advisory lock of the lake's Postgres on several.

Either is free when the process that holds it, or its host, is gone.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import SecretStr

from market_pipeline.config.settings import lake_of

PATIENCE = 1.0
"""Seconds after which a run reports that it waits."""

CLASS = 1_481_072_716
"""The first number of the advisory locks; the second is made of the market's name."""

LOOK = "5s"
"""How long Postgres waits before the process looks whether it shall end."""


@contextmanager
def market_lock(folder: Path, market: str, waiting: Callable[[], object], *, shared: bool) -> Iterator[None]:
    """Hold the lock; calls `waiting` once if another run has it, and waits as long as needed.

    Runs that hold it `shared` do so at once, where runs are executed on several hosts. `folder` has the files.
    """
    lake, _ = lake_of(os.environ)
    with _in_catalogue(lake, market, waiting, shared=shared) if lake else _in_file(folder / f"{market}.lock", waiting):
        yield


@contextmanager
def _in_file(path: Path, waiting: Callable[[], object]) -> Iterator[None]:
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        waiting()
        lock.acquire(poll_interval=PATIENCE)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _in_catalogue(lake: SecretStr, market: str, waiting: Callable[[], object], *, shared: bool) -> Iterator[None]:
    import psycopg2

    from market_pipeline.storage.lake.catalogue import Catalogue

    kind = "_shared" if shared else ""
    number = zlib.crc32(market.encode()) - 2**31
    with closing(psycopg2.connect(Catalogue.of(lake).dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"select pg_try_advisory_lock{kind}(%s, %s)", (CLASS, number))
        held = bool(cursor.fetchone()[0])
        if not held:
            waiting()
            cursor.execute("select set_config('lock_timeout', %s, false)", (LOOK,))
        while not held:
            try:
                cursor.execute(f"select pg_advisory_lock{kind}(%s, %s)", (CLASS, number))
                held = True
            except psycopg2.errors.LockNotAvailable:
                continue
        yield
