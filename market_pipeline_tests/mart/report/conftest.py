"""One browser for the tests of the report."""

from collections.abc import Iterator
from typing import Any

import pytest

from market_pipeline_tests.mart.report.browsing import QUIET, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            yield running
        finally:
            running.close()
