"""Run configuration, which anyone who can launch a run writes: it reads no variable and opens no file."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._config import ConfigType

from market_pipeline.config.settings import Settings
from market_pipeline.definitions import build_definitions

SECRET = "planted-7f3a"
READS = {"env": "MARKET_PIPELINE_PLANTED"}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dg.JobDefinition]:
    settings = Settings.from_environment(
        {"MARKET_PIPELINE_HOME": str(tmp_path_factory.mktemp("data")), "MARKET_PIPELINE_SOURCE": "simulated"}
    )
    return list(build_definitions(settings).get_repository_def().get_all_jobs())


def kinds(kind: ConfigType, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ConfigType]]:
    """Every type below a type of run configuration, with its path."""
    yield ".".join(path), kind
    for name, field in (getattr(kind, "fields", None) or {}).items():
        yield from kinds(field.config_type, (*path, name))
    for part in ("inner_type", "scalar_type", "non_scalar_type", "key_type"):
        if hasattr(kind, part):
            yield from kinds(getattr(kind, part), path)


def test_no_value_of_a_run_may_be_the_name_of_a_variable(jobs: list[dg.JobDefinition]) -> None:
    found = {
        path
        for job in jobs
        for path, kind in kinds(job.run_config_schema.run_config_schema_type)
        if "SourceType" in kind.key or "env" in (getattr(kind, "fields", None) or {})
    }
    assert not found


@pytest.mark.parametrize(
    "config",
    [
        {"resources": {"database": {"config": {"database": READS}}}},
        {"resources": {"database": {"config": {"database": "/tmp/another.duckdb"}}}},
        {"resources": {"io_manager": {"config": {"base_dir": READS}}}},
        {"ops": {"stocks__prices": {"config": {"symbols": [READS]}}}},
        {"loggers": {"console": {"config": {"log_level": READS}}}},
        {"execution": {"config": {"marker": READS}}},
    ],
    ids=str,
)
def test_a_run_that_reads_a_variable_or_another_file_is_refused(
    jobs: list[dg.JobDefinition], config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READS["env"], SECRET)
    job = next(job for job in jobs if job.name == "stocks_prices")
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.validate_run_config(job, config)
    assert SECRET not in str(refused.value)


def test_the_symbols_of_a_run_are_still_its_configuration(jobs: list[dg.JobDefinition]) -> None:
    job = next(job for job in jobs if job.name == "stocks_prices")
    checked = dg.validate_run_config(job, {"ops": {"stocks__prices": {"config": {"symbols": ["WALK1"]}}}})
    assert checked["ops"]["stocks__prices"]["config"] == {"symbols": ["WALK1"]}
