"""Record the presentation: the screenshots of index.md, and market-pipeline.mp4.

    python docs/presentation/record.py [folder]

Runs the demo in a temporary folder, or copies a `folder` whose data/ contains a demo run by this version. Starts the
web server on it, captures the UI, the report and the terminal in the system's Chromium, and encodes the film with
ffmpeg. Takes about four minutes on two idle cores, half of them for the demo. Needs Chromium and ffmpeg (Debian's
packages of these names); connects to no other host.
"""

# ruff: noqa: INP001, S603, T201  a script beside its page; it runs Python and prints its progress

import datetime as dt
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo_directory import DemoDirectory, Server, serving, wait_for
from film import Film, ffmpeg, still
from playwright.sync_api import Page
from rich.text import Text
from screens import ROWS, browser, card, chromium, terminal

from market_pipeline.config.markets_file import load_markets, packaged_config

HERE = Path(__file__).parent
LOCATION = "locations/market_pipeline.definitions/asset-groups"

QUERY = """
import duckdb
mart = duckdb.connect("data/mart.duckdb", read_only=True)
print(mart.sql('''select symbol, horizon, trend, round(low_80, 3) low, round(high_80, 3) high, model, verdict
                  from signals order by all limit 5'''))
print(mart.sql("select model, round(avg(covered_80::int), 3) held_80 from scores group by 1 order by 1 limit 5"))
"""


def typed(page: Page, film: Film, command: str, lines: list[str], caption: str, hold: float = 3.0) -> bytes:
    """Add a command, then its output, scrolling; returns the last image."""
    prompt = f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m"
    film.show(terminal(page, "market-pipeline", [prompt]), caption, 1.2)
    everything = [prompt, *lines]
    first = min(ROWS, len(everything))
    image = terminal(page, "market-pipeline", everything[:first])
    film.show(image, caption, hold)
    for end in range(first + 3, len(everything) + 3, 3):
        image = terminal(page, "market-pipeline", everything[:end])
        film.show(image, caption, 0.25)
    if len(everything) > ROWS:
        film.show(image, caption, hold)
    return image


def opening(page: Page, film: Film) -> None:
    image = card(
        page,
        "Market Pipeline",
        "End-to-end market forecasts with Dagster and DuckDB.",
        "Each forecast has a verdict: has its model ever beaten a random walk by more than luck?",
        "This film records a real run on a <b>simulated</b> market.",
    )
    film.show(image, "A five-minute run, shortened", 5)
    image = card(
        page,
        "Two commands",
        "<code>$ make demo</code> &nbsp; the main job, through Dagster",
        "<code>$ make ui</code> &nbsp; the web server on 127.0.0.1:3000",
        "You need Python 3.11 to 3.13. Both commands first create the environment from the lock file.",
    )
    still(image, HERE / "install.png")
    film.show(image, "Install", 5)


def demo(page: Page, film: Film, lines: list[str], seconds: float) -> None:
    caption = f"The whole chain for two markets: {seconds / 60:.1f} minutes on this machine, shortened here"
    heading = next(place for place, line in enumerate(lines) if "Verdicts" in line)
    typed(page, film, "make demo", lines[:heading], caption)
    still(terminal(page, "market-pipeline", lines[:ROWS]), HERE / "demo.png")
    caption = "Skill against the random walk, with the verdict: luck explains most of it"
    for end in range(heading + 3, len(lines) + 3, 3):
        film.show(terminal(page, "market-pipeline", lines[:end]), caption, 0.25)
    still(terminal(page, "market-pipeline", lines[heading : heading + ROWS]), HERE / "verdicts.png")
    film.show(terminal(page, "market-pipeline", lines), caption, 4)


def reprinted(page: Page, film: Film, demo_directory: DemoDirectory) -> list[str]:
    """Instead of the demo's output, that of the commands that print the same tables for an existing directory."""
    lines = demo_directory.run("forecast")
    typed(page, film, "market-pipeline forecast", lines, "The newest forecasts, each with the verdict of its model")
    still(terminal(page, "market-pipeline", lines[:ROWS]), HERE / "demo.png")
    verdicts = demo_directory.run("verdicts")
    caption = "Skill against the random walk, with the verdict: luck explains most of it"
    typed(page, film, "market-pipeline verdicts", verdicts, caption)
    still(terminal(page, "market-pipeline", verdicts[:ROWS]), HERE / "verdicts.png")
    return lines


def graph(page: Page, film: Film, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 656})
    page.goto(f"{server.url}/asset-groups")
    page.get_by_text("crypto", exact=True).first.wait_for()
    if (hide := page.get_by_role("button", name="Hide navigation")).count():
        hide.click()
    page.wait_for_timeout(4000)  # states and edges are drawn after the names
    film.show(page.screenshot(), "The Dagster UI: a chain of assets for each market, and the mart that joins them", 4)
    page.set_viewport_size({"width": 1440, "height": 738})  # at a higher zoom level the nodes have too much text
    page.goto(f"{server.url}/{LOCATION}/stocks")
    page.get_by_text("leaderboard", exact=True).first.wait_for()
    page.wait_for_timeout(4000)
    image = page.screenshot()
    still(image, HERE / "graph.png")
    film.show(image, "The chain of one market, from prices to signals", 6)


def backfill(page: Page, film: Film, server: Server, span: str) -> None:
    page.set_viewport_size({"width": 1600, "height": 820})
    page.goto(f"{server.url}/assets/stocks/prices?view=overview")
    materialize = page.get_by_role("button", name="Materialize").first
    materialize.wait_for()
    page.get_by_text("Latest materialization").first.wait_for()
    page.wait_for_timeout(2500)
    film.show(page.screenshot(), "An asset: its description, its last run, its checks", 5)
    materialize.click()
    launch = page.get_by_role("button", name="Launch backfill")
    launch.wait_for()
    page.wait_for_timeout(2500)
    chosen = page.get_by_placeholder("No matching partitions").or_(page.locator("[role=dialog] input[type=text]")).first
    chosen.fill(span)
    chosen.press("Enter")
    page.wait_for_timeout(1500)
    image = page.screenshot()
    still(image, HERE / "backfill.png")
    film.show(image, "A backfill of a month: all its sessions in a single run", 5)
    launch.click()
    page.get_by_text("Created backfill").wait_for()
    film.show(page.screenshot(), "Launched", 2)


def run_page(page: Page, film: Film, server: Server) -> None:
    wait_for(
        "The end of the backfill", lambda: server.newest_backfill()["status"].startswith(("COMPLETED", "FAILED")), 900
    )
    ended = server.newest_backfill()
    if ended["status"] != "COMPLETED_SUCCESS" or len(ended["runs"]) != 1:
        raise RuntimeError(f"The backfill did not end as one successful run: {ended}")
    page.set_viewport_size({"width": 1600, "height": 820})
    page.goto(f"{server.url}/runs/{ended['runs'][0]['id']}")
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    page.wait_for_timeout(2500)
    image = page.screenshot()
    still(image, HERE / "run.png")
    film.show(image, "The run: one step for the whole range, then its checks", 5)
    page.goto(f"{server.url}/assets/stocks/prices?view=checks")
    page.get_by_text("no_missing_bars").first.click()
    page.get_by_text("Latest execution").first.wait_for()
    page.wait_for_timeout(2500)
    image = page.screenshot()
    still(image, HERE / "checks.png")
    film.show(image, "Checks are statements; a failed check lists the rows", 5)


def report(page: Page, film: Film, demo_directory: DemoDirectory) -> None:
    """Scroll through the report, pausing at its headings."""
    page.set_viewport_size({"width": 1280, "height": 656})
    page.goto((demo_directory.folder / "data" / "report.html").as_uri())
    page.wait_for_timeout(2500)
    still(page.screenshot(), HERE / "report.png")
    caption = "The report: one HTML file"
    film.show(page.screenshot(), caption, 3)
    at = 0.0
    for heading in page.locator("h2").all()[:8]:
        if not heading.is_visible():
            continue
        top = heading.evaluate("element => element.getBoundingClientRect().top + window.scrollY") - 20
        for step in range(1, 9):
            page.evaluate("top => window.scrollTo(0, top)", at + (top - at) * step / 8)
            film.show(page.screenshot(), caption, 1 / 12)
        at = top
        page.wait_for_timeout(300)
        caption = f"The report: {heading.inner_text().strip()}"
        film.show(page.screenshot(), caption, 2.5)


def one_symbol(page: Page, film: Film, demo_directory: DemoDirectory) -> None:
    page.set_viewport_size({"width": 1280, "height": 656})
    lines = demo_directory.run("forecast", "AUTOREG")
    image = typed(page, film, "market-pipeline forecast AUTOREG", lines, "One symbol, in prices, with the verdict", 5)
    still(image, HERE / "forecast.png")
    day = max(days_in(lines)).isoformat()
    command = ("replay", "--market", "stocks", "--origin", day)
    lines = demo_directory.run(*command)
    caption = "Any stored forecast can be computed again, equal to the last bit"
    typed(page, film, f"market-pipeline {' '.join(command)}", lines, caption, 4)


def notebook(page: Page, film: Film, demo_directory: DemoDirectory) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", QUERY],
        cwd=demo_directory.folder,
        env=demo_directory.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code = [f"\x1b[34m{'...' if line[0] == ' ' else '>>>'}\x1b[0m {line}" for line in QUERY.strip().split("\n")]
    image = typed(page, film, "python", [*code, *ended.stdout.split("\n")], "The mart: query it from any program", 5)
    still(image, HERE / "query.png")


def closing(page: Page, film: Film) -> None:
    image = card(
        page,
        "Most market forecasts are no better than a random walk",
        "This pipeline reports which ones are, and publishes the random walk for the rest.",
        "Next: the README, the technical report, and your own symbols.",
    )
    film.show(image, "Apache-2.0. Nothing here is financial advice.", 5)


def main(folder: Path | None) -> None:
    ffmpeg()
    chromium()
    with tempfile.TemporaryDirectory(prefix="market-pipeline-") as name:
        demo_directory = DemoDirectory(Path(name))
        (demo_directory.folder / "frames").mkdir()
        began = time.monotonic()
        if folder is None:
            lines = demo_directory.run("demo")
            print(f"demo: {time.monotonic() - began:.0f} s", flush=True)
        else:
            shutil.copytree(folder / "data", demo_directory.folder / "data")
        seconds = time.monotonic() - began
        film = Film(demo_directory.folder / "frames")
        with serving(demo_directory) as server, browser(server.url) as page:
            opening(page, film)
            if folder is None:
                demo(page, film, lines, seconds)
            else:
                lines = reprinted(page, film, demo_directory)
            wait_for("The web server", server.is_ready, 300)
            graph(page, film, server)
            backfill(page, film, server, month_before(lines))
            run_page(page, film, server)
            report(page, film, demo_directory)
            one_symbol(page, film, demo_directory)
            notebook(page, film, demo_directory)
            closing(page, film)
        film.write(HERE / "market-pipeline.mp4")
        size = (HERE / "market-pipeline.mp4").stat().st_size
        print(f"film: {film.seconds:.0f} s long, {size / 1e6:.1f} MB, made in {time.monotonic() - began:.0f} s in all")


def month_before(lines: list[str]) -> str:
    """The sessions of the month before the demo's newest one, in the UI's syntax for a range of partitions."""
    [stocks] = [market for market in load_markets(packaged_config("simulated")) if market.name == "stocks"]
    last = max(days_in(lines)).replace(day=1) - dt.timedelta(days=1)
    sessions = stocks.sessions_between(last.replace(day=1), last)
    return f"[{sessions[0]}...{sessions[-1]}]"


def days_in(lines: list[str]) -> list[dt.date]:
    """Every date in printed lines, ignoring colours."""
    plain = " ".join(Text.from_ansi(line).plain for line in lines)
    return [dt.date.fromisoformat(day) for day in re.findall(r"\d{4}-\d{2}-\d{2}", plain)]


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    except RuntimeError as error:
        sys.exit(f"Error: {error}")
