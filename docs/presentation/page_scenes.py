"""The scenes on pages: title cards, the documentation as a site, and the report of the demo."""

# ruff: noqa: INP001, S603  imported by a script; it runs MkDocs

import os
import subprocess
import sys
from pathlib import Path

from film import still
from recording import HERE, Recording
from screens import card

TOP = HERE.parent.parent
STEPS = 10
"""Images of a movement from one part of a page to the next."""

SYMBOL = "stocks/AUTOREG"
"""Whose section of the report is shown."""

ONLY_TEXT = """
.md-header, .md-tabs, .md-sidebar, .md-footer, .headerlink { display: none !important }
.md-grid { max-width: 1200px } .md-content { max-width: 1200px }
.md-typeset { font-size: 0.92rem } .md-typeset table:not([class]) { font-size: 0.8rem }
.md-typeset pre > code { font-size: 0.78em } .md-typeset img { width: 100% }
"""
"""A page of the site without its navigation, in larger type."""


def built_site(folder: Path) -> Path:
    """The documentation, built as by `make docs`; raises RuntimeError if that fails."""
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "-q", "--strict", "--config-file",
               str(TOP / ".ci" / "mkdocs.yml"), "--site-dir", str(folder)]  # fmt: skip
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(TOP)}
    ended = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"The documentation could not be built: {ended.stderr[-800:]}")
    return folder


def opening(recording: Recording) -> None:
    image = card(
        recording.page,
        "Market Pipeline",
        "End-to-end market forecasts with Dagster and DuckDB.",
        "Each forecast has a verdict: has its model ever beaten a random walk by more than luck?",
        "The label below right states for each image whether its prices are <b>simulated</b> or <b>real</b>.",
    )
    recording.show("opening", image, 7)


def reasons(recording: Recording) -> None:
    """The problem, batch or streaming, the architecture, and what a forecast may know: the technical report."""
    part(recording, "problem", "report.html", "[id='1-the-problem']", 10)
    part(recording, "batch", "report.html", "[id='2-batch-or-streaming-and-why-batch']", 12)
    part(recording, "architecture", "report.html", "[id='3-architecture']", 10)
    part(recording, "leakage", "report.html", "[id='6-correctness']", 9)


def install(recording: Recording) -> None:
    image = card(
        recording.page,
        "Two commands",
        "<code>$ make demo</code> &nbsp; the main job, through Dagster",
        "<code>$ make ui</code> &nbsp; the web server on 127.0.0.1:3000",
        "You need Python 3.11 to 3.13. Both commands first create the environment from the lock file.",
    )
    still(image, HERE / "install.png")
    recording.show("install", image, 5)


def report(recording: Recording) -> None:
    """The report from its summary on, and one symbol."""
    page = recording.page
    address = (recording.demo.folder / "data" / "report.html").as_uri()
    recording.size(1280)
    page.goto(address)
    recording.screen("report", 6, wait=2.5, picture="report.png")
    move(recording, "table", "#forecasts", 5)
    page.goto(f"{address}#symbol/{SYMBOL}")
    recording.screen("past", 7, wait=2.5)
    page.goto(address)
    for name, section in (("verdicts", "#verdicts"), ("held", "#calibration"), ("quality", "#coverage")):
        move(recording, name, section, 5)


def portfolio(recording: Recording) -> None:
    recording.size(1280)
    recording.page.goto((recording.demo.folder / "data" / "report.html").as_uri())
    recording.page.wait_for_timeout(1500)
    move(recording, "portfolio", "#portfolios", 8)


def results(recording: Recording) -> None:
    """What the forecasts are worth on real prices."""
    part(recording, "results", "report.html", "[id='results-in-brief']", 10)
    part(recording, "skill", "report.html", "img[src*='range-skill']", 8)
    part(recording, "calibration", "results.html", "[id='calibration-of-the-ranges']", 8)
    part(recording, "costs", "results.html", "[id='signal-backtest-net-of-costs']", 8)


def machines(recording: Recording) -> None:
    """Several hosts, and the faults that were tried."""
    part(recording, "cluster", "howto/cluster.html", "h1", 6)
    part(recording, "cluster", "report.html", "table:has-text('cores for fits')", 7)
    part(recording, "lake", "runs/cluster.html", "h1", 7)
    part(recording, "faults", "reliability.html", "table", 8)


def closing(recording: Recording) -> None:
    image = card(
        recording.page,
        "Most market forecasts are no better than a random walk",
        "This pipeline reports which ones are, and publishes the random walk for the rest.",
        "Next: the README, the technical report, and your own symbols.",
    )
    recording.show("closing", image, 6)


def part(recording: Recording, name: str, page: str, selector: str, seconds: float) -> None:
    """A page of the site from an element on, without its navigation."""
    recording.size(1280)
    recording.page.goto((recording.site / page).as_uri())
    recording.page.add_style_tag(content=ONLY_TEXT)
    element = recording.page.locator(f".md-content {selector}").first
    element.evaluate("element => window.scrollBy(0, element.getBoundingClientRect().top - 24)")
    recording.screen(name, seconds, wait=0.8)


def move(recording: Recording, name: str, selector: str, seconds: float) -> None:
    """Scroll to a part of the report, and stay there."""
    page = recording.page
    start = page.evaluate("window.scrollY")
    distance = page.locator(selector).evaluate("element => element.getBoundingClientRect().top - 20")
    for step in range(1, STEPS + 1):
        page.evaluate("top => window.scrollTo(0, top)", start + distance * step / STEPS)
        recording.screen(name, 1 / 12)
    recording.screen(name, seconds, wait=0.3)
