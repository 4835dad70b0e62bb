"""The compose file's services on hosts of their own compute the same, to the bit, as one host and one file."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.digests import digests
from market_pipeline_tests.cluster.compose_cluster import Cluster, cluster
from market_pipeline_tests.cluster.conftest import need
from market_pipeline_tests.cluster.hosts import lacking
from market_pipeline_tests.cluster.share import (
    DIGESTS,
    HOUR,
    MARKETS,
    SECRETS,
    on_one_host,
    python,
    share,
    variables_of,
)
from market_pipeline_tests.pages import TOP

READS = """
from market_pipeline import mart
newest = mart.forecasts(newest=True).drop(columns="made_at")
print(*(rows.to_csv() for rows in (mart.leaderboard(), mart.signals(), newest)))
"""
HOSTS = """
import dagster as dg
print({run.tags.get("market_pipeline/host") for run in dg.DagsterInstance.get().get_runs()})
"""


def test_several_hosts_compute_what_one_host_computes(tmp_path: Path) -> None:
    need(lacking())
    wanted, folder = share(), tmp_path / "share"
    wanted.write(folder)
    with ThreadPoolExecutor(1) as meanwhile, cluster(tmp_path / "hosts", variables_of(folder)) as made:
        alone = meanwhile.submit(on_one_host, wanted, folder)
        with ThreadPoolExecutor(len(MARKETS)) as both:
            list(both.map(lambda market: made.run("code", wanted.command(market), seconds=HOUR), MARKETS))
        several = json.loads(made.run("code", ["python", "-c", DIGESTS], PYTHONPATH=str(TOP)))
        read = made.run("reader", ["python", "-c", READS])
        assert_workers_executed(made)
        assert_no_secret_is_written(made)
        alone.result(HOUR)
    assert {table: tuple(found) for table, found in several.items()} == digests(folder / "one")
    assert read == python(folder, "-c", READS)


def assert_workers_executed(made: Cluster) -> None:
    """Runs were executed on the workers' hosts, not where they were asked for."""
    hosts = made.run("code", ["python", "-c", HOSTS], DAGSTER_HOME="/srv/market-pipeline/dagster")
    assert "worker" in hosts
    assert "code" not in hosts


def assert_no_secret_is_written(made: Cluster) -> None:
    """No log of a service and no file of a scratch folder has a password."""
    words = [secret.encode() for name, secret in SECRETS.items() if name != "AWS_ACCESS_KEY_ID"]
    for path in made.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert not any(word in content for word in words), path
