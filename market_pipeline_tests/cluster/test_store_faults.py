"""What fails in an object store: it is repeated, or an error names the object and shows no key."""

import datetime as dt
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from market_pipeline import mart
from market_pipeline.errors import StoreError
from market_pipeline.storage import object_store
from market_pipeline.storage.object_store import ObjectStore
from market_pipeline_tests.cluster import services
from market_pipeline_tests.storage import test_publication as publications

LARGE = os.urandom(24 * 2**20)
SLOW = "4M"
"""Bytes in a second that a slow server carries: a large object takes seconds."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[services.ObjectStore]:
    if lacking := services.missing():
        pytest.skip(f"This machine lacks {lacking}.")
    with services.object_store() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def files(server: services.ObjectStore) -> ObjectStore:
    return ObjectStore(services.BUCKET, "market")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "RETRIED_FOR", dt.timedelta(seconds=3))


def restart_slowly(server: services.ObjectStore) -> None:
    os.environ["RCLONE_BWLIMIT"] = SLOW
    server.stop()
    server.start()
    del os.environ["RCLONE_BWLIMIT"]


def interrupted(server: services.ObjectStore, do: Callable[[], object], has_begun: Callable[[], bool]) -> None:
    """Stop the server while `do` is under way, and start it again a little later."""
    restart_slowly(server)
    failures = list[BaseException]()

    def attempt() -> None:
        try:
            do()
        except BaseException as error:  # noqa: BLE001  the test shows any error
            failures.append(error)

    doing = threading.Thread(target=attempt)
    doing.start()
    while not has_begun():
        assert doing.is_alive(), failures
        time.sleep(0.05)
    assert doing.is_alive()
    server.stop()
    time.sleep(1)
    server.start()
    doing.join(120)
    assert not failures
    assert not doing.is_alive()


def test_a_copy_goes_on_once_the_store_is_there_again(
    server: services.ObjectStore, files: ObjectStore, tmp_path: Path
) -> None:
    files.put("large", LARGE)
    back = tmp_path / "back"
    interrupted(server, lambda: files.get_file("large", back), lambda: back.exists() and back.stat().st_size > 2**20)
    assert back.read_bytes() == LARGE


def test_a_put_goes_on_once_the_store_is_there_again(
    server: services.ObjectStore, files: ObjectStore, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.write_bytes(LARGE)
    began = time.monotonic()
    interrupted(server, lambda: files.put_file("large", there), lambda: time.monotonic() > began + 2)
    assert files.get("large") == LARGE


PUBLISHER = """
import sys
from pathlib import Path
from market_pipeline_tests.storage import test_publication as publications
there = publications.machine(sys.argv[1], Path(sys.argv[2]))
with there.turn() as earlier:
    publications.make(there, 2)
    with there.file.open("ab") as file:
        file.write(bytes(24 * 2**20))
    print("puts", flush=True)
    there.put(publications.NOW + publications.SECOND, earlier)
"""


def test_a_publisher_that_is_killed_in_its_put_publishes_nothing_and_keeps_nobody_up(
    server: services.ObjectStore, files: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = files.address(""), tmp_path / "one"
    monkeypatch.setenv("MARKET_PIPELINE_STORE", address)
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path / "reader"))
    publications.publish(publications.machine(address, folder), 1)
    restart_slowly(server)
    killed = subprocess.Popen([sys.executable, "-c", PUBLISHER, address, str(folder)], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"puts\n"
    time.sleep(1)
    assert killed.poll() is None
    killed.kill()
    killed.communicate()
    server.stop()
    server.start()
    assert publications.number_read() == 1
    assert len(publications.names(files)) == 1
    publications.publish(publications.machine(address, folder), 3, publications.NOW + 2 * publications.SECOND)
    assert publications.number_read() == 3


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_down_is_named_with_the_object(server: services.ObjectStore, files: ObjectStore) -> None:
    files.put("a", b"old")
    server.stop()
    for do in (
        lambda: files.put("a", b"new"),
        lambda: files.get("a"),
        lambda: files.list(""),
        lambda: files.exists("a"),
    ):
        with pytest.raises(
            StoreError, match=r"The object store failed at s3://lake/market/?a?: .*is running"
        ) as refused:
            do()
        assert_no_key(refused.value, server)
    server.start()
    assert files.get("a") == b"old"


def test_a_wrong_key_and_a_missing_bucket_are_named_without_the_key(
    server: services.ObjectStore, files: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match=r"s3://other/a: .*NoSuchBucket"):
        ObjectStore("other").get("a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    with pytest.raises(StoreError, match="SignatureDoesNotMatch") as refused:
        files.put("a", b"1")
    assert_no_key(refused.value, server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted-key")
    with pytest.raises(StoreError, match="InvalidAccessKeyId") as refused:
        replace(files).get("a")
    assert_no_key(refused.value, server)


def assert_no_key(error: Exception, server: services.ObjectStore) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert not [word for word in (server.key, server.secret, "planted", "<Error>", "Debug") if word in shown]


@pytest.fixture
def small_disk(server: services.ObjectStore) -> Iterator[None]:
    """The bucket on a disk of four megabytes."""
    folder = server.folder / services.BUCKET
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"Only root can mount a small disk: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        server.stop()
        subprocess.run(["umount", folder], check=True, timeout=60)


@pytest.mark.usefixtures("impatient", "small_disk")
def test_a_full_store_keeps_what_it_has(files: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = files.address("")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", address)
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path / "reader"))
    there = publications.machine(address, tmp_path / "one")
    publications.publish(there, 1)
    with there.turn() as earlier:
        publications.make(there, 2)
        with there.file.open("ab") as file:
            file.write(LARGE)
        with pytest.raises(StoreError, match="The object store failed at"):
            there.put(publications.NOW + publications.SECOND, earlier)
    assert publications.number_read() == 1
    assert len(publications.names(files)) == 1
    publications.publish(there, 3, publications.NOW + 2 * publications.SECOND)
    assert publications.number_read() == 3
    assert mart.path().is_relative_to(tmp_path / "reader")
