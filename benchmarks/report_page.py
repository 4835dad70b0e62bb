"""How fast the report of 500 symbols is in a browser: size, first paint, sort, search, switch, the section of a symbol.

    python benchmarks/report_page.py [--rounds 7]

Each is the median of rounds in the system's Chromium: milliseconds by the clock, and of the page's thread alone, which
other work on the machine does not lengthen. Sort and the like end with the frame that shows the first rows.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from market_pipeline_tests.mart.large_mart import large_report
from market_pipeline_tests.orchestration.test_ui import QUIET, chromium

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
UNTIL_SHOWN = """
action => new Promise(done => {
  const began = performance.now();
  eval?.(action);
  requestAnimationFrame(() => { document.body.offsetHeight; setTimeout(() => done(performance.now() - began)); });
})
"""
ACTIONS = {
    "sort by width": "document.querySelector('[data-sort=width]').click()",
    "sort by low": "document.querySelector('[data-sort=low]').click()",
    "search": "search.value = 'S04'; search.dispatchEvent(new Event('input'))",
    "switch the horizon": "document.querySelector('input[name=horizon]:not(:checked)').click()",
    "open a symbol": "location.hash = '#symbol/stocks/S042'",
}


def milliseconds(browser: Any, report: Path) -> dict[str, tuple[float, float]]:
    """Each measure of one opening of the page: by the clock, and of the page's thread."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = tools.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    page.goto(report.as_uri())
    page.wait_for_timeout(1000)
    found = {"first paint": (page.evaluate(PAINT), busy())}
    for name, action in ACTIONS.items():
        before = busy()
        found[name] = (page.evaluate(UNTIL_SHOWN, action), busy() - before)
    page.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = large_report(Path(folder))
        print(f"size                {report.stat().st_size / 1e6:8.2f} MB")
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        measured = [milliseconds(browser, report) for _ in range(rounds)]
        browser.close()
    for name in measured[0]:
        clock, thread = (statistics.median(one[name][part] for one in measured) for part in (0, 1))
        print(f"{name:20}{clock:8.0f} ms {thread:8.0f} ms of its thread")


if __name__ == "__main__":
    main()
