"""What every test shares: one thread for each worker, no limit of time for an example, Dagster's migrations."""

import signal
from collections.abc import Iterator

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import settings

# Two workers with two threads each would only wait for each other.
import market_pipeline.config.process  # noqa: F401

# How long an example takes depends on what else the machine does.
settings.register_profile("without a limit of time", deadline=None)
settings.load_profile("without a limit of time")

# A background job of a shell ignores SIGINT. Dagster then ignores SIGTERM as well, and so do processes of tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def migrations_are_read_once() -> Iterator[None]:
    """Dagster runs ninety files to learn the newest version of its tables, for each database that it makes or opens.

    The tests make a thousand, most of them in memory; a process of a user opens three.
    """
    read, known = ScriptDirectory.from_config, dict[tuple[str | None, str | None], ScriptDirectory]()

    def read_once(config: Config) -> ScriptDirectory:
        key = config.config_file_name, config.get_main_option("script_location")
        if key not in known:
            known[key] = read(config)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", read_once)
        yield
