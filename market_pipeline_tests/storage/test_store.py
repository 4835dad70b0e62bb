"""Files by name, on a folder; cluster/test_store.py has the same tests on an object store."""

import datetime as dt
import sys
from pathlib import Path

import pytest

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError, StoreError
from market_pipeline.storage.object_store import ObjectStore, endpoint_of
from market_pipeline.storage.store import FolderStore, Store, open_store, store_at

LARGE = bytes(range(256)) * 80_000
"""Larger than a request for a part of an object."""


@pytest.fixture
def files(tmp_path: Path) -> Store:
    return FolderStore(tmp_path / "store")


def test_what_is_put_comes_back_and_a_second_put_replaces_it(files: Store) -> None:
    assert not files.exists("models/a/one.skops")
    for content in (b"first", b"", b"second"):
        files.put("models/a/one.skops", content)
        assert files.exists("models/a/one.skops")
        assert files.get("models/a/one.skops") == content


def test_large_files_go_in_and_out(files: Store, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(LARGE)
    files.put_file("mart/large.duckdb", there)
    files.get_file("mart/large.duckdb", back)
    assert back.read_bytes() == LARGE
    assert there.exists()


def test_a_folder_is_listed_in_the_order_of_names_with_sizes_and_times(files: Store) -> None:
    assert files.list("models") == []
    began = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for name in ("models/b", "models/a/deep/c", "models2/d", "other"):
        files.put(name, b"four")
    found = files.list("models")
    assert [(one.name, one.size) for one in found] == [("models/a/deep/c", 4), ("models/b", 4)]
    assert all(began <= one.written_at <= dt.datetime.now(dt.UTC) for one in found)


def test_removing_takes_one_file_and_none_is_no_error(files: Store) -> None:
    files.put("a", b"1")
    files.put("b", b"2")
    files.remove("a")
    files.remove("a")
    assert not files.exists("a")
    assert files.get("b") == b"2"


def test_a_missing_file_is_named(files: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="models/gone"):
        files.get("models/gone")
    with pytest.raises(FileNotFoundError, match="models/gone"):
        files.get_file("models/gone", tmp_path / "back")


def test_the_settings_name_the_store(tmp_path: Path) -> None:
    local = Settings(home=tmp_path, source="simulated")
    assert open_store(local) == FolderStore(tmp_path)
    assert open_store(local).address("models/a") == str(tmp_path / "models" / "a")
    assert store_at("s3://bucket/some/prefix/") == ObjectStore("bucket", "some/prefix")
    assert store_at("s3://bucket/some/prefix").address("models/a") == "s3://bucket/some/prefix/models/a"
    assert store_at("s3://bucket").address("models/a") == "s3://bucket/models/a"


def test_without_its_package_an_object_store_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    for do in (lambda: ObjectStore("bucket").get("a"), lambda: ObjectStore("bucket").exists("a")):
        with pytest.raises(StoreError, match=r"s3://bucket is an object store, .*pip install 'market-pipeline"):
            do()


@pytest.mark.parametrize("address", ["catalog:8333", "not an address", "ftp://store"])
def test_an_endpoint_that_is_no_address_is_named_without_it(address: str) -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL is no address of an object store") as refused:
        endpoint_of({"AWS_ENDPOINT_URL": address})
    assert address not in str(refused.value)


def test_a_put_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"old")
    with pytest.raises(FileNotFoundError):
        store.put_file("a", tmp_path / "gone")
    assert store.get("a") == b"old"
    assert [one.name for one in store.list(".")] == ["a"]
