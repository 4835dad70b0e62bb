"""What the processes of the server share: the instance, the environment, and how each of them ends."""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress

import dagster as dg

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.server.supervisor import end_with_parent
from market_pipeline.orchestration.server.workspace import CodeAddress
from market_pipeline.storage.whole_files import remember_source

Process = Callable[[dg.DagsterInstance, CodeAddress], None]
"""Runs until SIGTERM or SIGINT, which raise KeyboardInterrupt."""


def run_process(process: Process, settings: Settings, address: str | None, *, child: bool) -> None:
    """Run one process of the server until a signal; with `child` also until the process that started it has ended.

    `address` is where the code process listens, by default a socket of the data directory.
    """
    if child:
        end_with_parent()
    code = CodeAddress.parse(address or f"unix:{settings.dagster_home / 'code.sock'}")
    with suppress(KeyboardInterrupt), prepared_instance(settings) as instance:
        process(instance, code)


def prepared_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance of the data directory, which is created; this process and those it starts find it."""
    instance = open_instance(settings)
    remember_source(settings.home, settings.source)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ["MARKET_PIPELINE_HOME"] = str(settings.home)
    os.environ["PYTHONWARNINGS"] = "ignore"
    os.environ["PYTHONSAFEPATH"] = "1"  # a file of the working folder, such as json.py, is no module of the server
    warnings.simplefilter("ignore")
    return instance
