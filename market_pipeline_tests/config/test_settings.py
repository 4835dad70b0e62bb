"""Settings of the environment: what is unset, what is refused, and what no message shows."""

from pathlib import Path

import pytest

from market_pipeline.config.places import data_directory, remembered_source, store_of
from market_pipeline.config.settings import Settings, variables
from market_pipeline.errors import ConfigurationError
from market_pipeline.storage.whole_files import remember_source

SECRET = "slack://token@channel"


def test_without_variables_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}) == Settings(home=tmp_path / "data", source="yahoo")


def test_an_empty_variable_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    empty = dict.fromkeys(variables(), "")
    assert Settings.from_environment(empty) == Settings.from_environment({})
    assert data_directory(empty) == tmp_path / "data"


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"HOME": "here", "SOURCE": "files", "FILES": "csv", "CONFIG": "m.toml"}
    read = Settings.from_environment({f"MARKET_PIPELINE_{name}": value for name, value in names.items()})
    assert (read.home, read.files, read.config) == (tmp_path / "here", tmp_path / "csv", tmp_path / "m.toml")


def test_the_source_of_a_data_directory_is_remembered_until_a_variable_names_another(tmp_path: Path) -> None:
    home = {"MARKET_PIPELINE_HOME": str(tmp_path)}
    remember_source(tmp_path, "simulated")
    remember_source(tmp_path, "yahoo")
    assert remembered_source(tmp_path) == Settings.from_environment(home).source == "simulated"
    assert Settings.from_environment(home | {"MARKET_PIPELINE_SOURCE": "yahoo"}).source == "yahoo"


def test_an_unknown_source_and_a_missing_folder_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'bloomberg', but the sources are yahoo, files, simulated, exchange"):
        Settings.from_environment({"MARKET_PIPELINE_SOURCE": "bloomberg"})
    with pytest.raises(ConfigurationError, match="is 'files', but MARKET_PIPELINE_FILES is not set"):
        Settings.from_environment({"MARKET_PIPELINE_SOURCE": "files"})


def test_addresses_of_alerts_are_secret(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"MARKET_PIPELINE_HOME": str(tmp_path), "MARKET_PIPELINE_ALERTS": f"{SECRET} a:b"}
    )
    assert [address.get_secret_value() for address in settings.alerts] == [SECRET, "a:b"]
    assert "token" not in repr(settings) + str(settings.alerts) + f"{settings}"


def test_every_variable_has_a_meaning() -> None:
    assert {name.removeprefix("MARKET_PIPELINE_") for name in variables()} == {
        "HOME", "SOURCE", "FILES", "CONFIG", "ALERTS", "PUBLIC_URL", "MODELS", "TRACEBACK",
        "WAREHOUSE", "STORE", "COMPUTE",
    }  # fmt: skip
    assert all(meaning.endswith(".") and "\n" not in meaning for meaning in variables().values())


def test_a_lake_needs_its_store_and_shows_no_password(tmp_path: Path) -> None:
    address = "ducklake:postgres:host=catalog password=geheim"
    lake = {"MARKET_PIPELINE_HOME": str(tmp_path), "MARKET_PIPELINE_WAREHOUSE": address}
    settings = Settings.from_environment({**lake, "MARKET_PIPELINE_STORE": "s3://bucket/prefix"})
    assert settings.warehouse is not None
    assert settings.warehouse.get_secret_value() == address
    assert settings.store == "s3://bucket/prefix"
    assert "geheim" not in repr(settings)
    for wrong in (
        lake,
        {**lake, "MARKET_PIPELINE_STORE": "https://bucket"},
        {**lake, "MARKET_PIPELINE_STORE": "s3://"},
        {"MARKET_PIPELINE_STORE": "s3://bucket/prefix"},
        {"MARKET_PIPELINE_WAREHOUSE": "postgres:password=geheim", "MARKET_PIPELINE_STORE": "folder"},
    ):
        with pytest.raises(ConfigurationError, match="Set") as refused:
            Settings.from_environment(wrong)
        assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "store",
    [
        "s3://geheim:geheim@bucket/prefix",
        "s3://AKIA:ge/heim@bucket/prefix",
        "s3://geheim@bucket",
        "s3://bucket/prefix?s3_secret_access_key=geheim",
        "https://user:geheim@store:9000/bucket",
        "https://geheim\u2100@store/bucket",  # of which urllib's own error would show the address
        "gs://geheim",
        "geheim://bucket",
    ],
)
def test_a_store_with_credentials_is_refused_and_no_part_of_it_is_shown(store: str) -> None:
    with pytest.raises(ConfigurationError, match="credentials come from AWS_ACCESS_KEY_ID") as refused:
        store_of({"MARKET_PIPELINE_STORE": store})
    shown = f"{refused.value!r}{refused.value.__cause__!r}{refused.value.__context__!r}"
    assert not [part for part in ("geheim", "AKIA", "heim") if part in shown]


@pytest.mark.parametrize("store", ["s3://bucket", "s3://my.bucket-1/", "s3://bucket/a prefix/user@host", "folder@host"])
def test_a_plain_store_is_taken(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = store if store.startswith("s3://") else str(tmp_path / store)
    assert store_of({"MARKET_PIPELINE_STORE": store}) == expected


@pytest.mark.parametrize("lake", ["geheim", "geheim:postgres:", "postgres:password=geheim", "DUCKLAKE:geheim"])
def test_a_lake_of_another_kind_is_refused_and_no_part_of_it_is_shown(lake: str) -> None:
    with pytest.raises(ConfigurationError, match="WAREHOUSE does not begin with ducklake:postgres: ") as refused:
        Settings.from_environment({"MARKET_PIPELINE_WAREHOUSE": lake, "MARKET_PIPELINE_STORE": "s3://bucket/prefix"})
    assert "geheim" not in str(refused.value)


def test_a_note_of_the_source_that_is_a_folder_is_named_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"source cannot be read: Is a directory\. Move it away if it"
    ) as found:
        Settings.from_environment({"MARKET_PIPELINE_HOME": str(tmp_path)})
    assert str(tmp_path / "source") in str(found.value)
