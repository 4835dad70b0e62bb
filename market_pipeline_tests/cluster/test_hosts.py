"""Hosts reach each other by name until a cable is pulled, and leave nothing behind."""

import subprocess
from pathlib import Path

import pytest

from market_pipeline_tests.cluster.compose_cluster import Cluster, cluster
from market_pipeline_tests.cluster.conftest import need
from market_pipeline_tests.cluster.hosts import lacking

VARIABLES = {"PGPASSWORD": "secret-of-the-catalogue", "AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret"}
PROGRAMS = ("head", "worker-1", "worker-2", "code", "daemon", "web")
ASKS = "import socket; socket.create_connection(('{host}', {port}), 2).close()"


def test_services_reach_each_other_by_name_until_a_link_is_cut(tmp_path: Path) -> None:
    need(lacking())
    with cluster(tmp_path, VARIABLES, without=PROGRAMS) as made:
        asked = ["python", "-c", ASKS.format(host="catalog", port=5432)]
        made.run("reader", asked)
        assert made.run("store", ["hostname"]) == "store\n"
        made.network.cut("catalog")
        with pytest.raises(AssertionError, match="reader"):
            made.run("reader", asked)
        made.network.join("catalog")
        made.run("reader", asked)
        written(made)
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"{made.network.bridge}-" not in left


def written(made: Cluster) -> None:
    """The store keeps what one host puts, when its own host ends and starts again."""
    remote = ":s3,provider=Rclone,env_auth,endpoint='http://store:8333':lake"
    made.run("reader", ["sh", "-c", f'echo content | rclone rcat "{remote}/name"'])
    made.kill("store")
    made.start_service("store")
    made.wait_until_healthy("store")
    assert made.run("reader", ["rclone", "cat", f"{remote}/name"]) == "content\n"
