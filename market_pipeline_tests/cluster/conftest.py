"""The services that tests of a cluster share, and what is left out where the cluster's packages are missing."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from uuid import uuid4

import pytest

from market_pipeline_tests.cluster import services

if not find_spec("duckdb_extension_ducklake"):
    collect_ignore_glob = ["test_*.py"]


def need(lacking: str) -> None:
    """Skip a test for what this machine lacks, if anything; in CI nothing is skipped, and the test fails."""
    if lacking:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"This machine lacks {lacking}.")


@pytest.fixture(scope="session")
def catalogue() -> Iterator[services.Postgres]:
    """One Postgres for all tests; each makes its own database."""
    need(services.missing())
    with services.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def object_store() -> Iterator[services.ObjectStore]:
    """One S3 server for all tests; each takes its own prefix."""
    need(services.missing())
    with services.object_store() as server:
        yield server


@pytest.fixture
def connection(catalogue: services.Postgres) -> str:
    """A new empty database, as libpq is given it."""
    return catalogue.make_database()


@pytest.fixture
def store(object_store: services.ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new empty prefix of the bucket, as MARKET_PIPELINE_STORE; its credentials are in the environment."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{services.BUCKET}/{uuid4().hex}"
