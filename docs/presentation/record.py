"""Record the presentation: the screenshots of tour.md, and market-pipeline.mp4 with its French subtitles.

    python docs/presentation/record.py [folder]

Runs the demo in `folder`, or in a temporary one; a folder that this script has made before is used as it is. Builds the
documentation, starts the web server on the demo's directory, captures the UI, the report, the terminal and pages of the
documentation in the system's Chromium, and encodes the film with ffmpeg. Takes about ten minutes on two idle cores.
Needs Chromium and ffmpeg (Debian's packages of these names); connects to no other host.
"""

# ruff: noqa: INP001, T201  a script beside its page; it prints its progress

import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path

import command_scenes
import page_scenes
import server_scenes
from demo_directory import DemoDirectory, serving, wait_for
from film import Film, ffmpeg
from recording import HERE, Recording
from screens import browser, chromium

from market_pipeline.config.markets_file import load_markets, packaged_config

DEMO = "demo.json"
"""The demo's output and its seconds, in the folder where it ran."""


def main(folder: Path) -> None:
    ffmpeg()
    chromium()
    demo = DemoDirectory(folder)
    lines, seconds = output_of(demo)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="market-pipeline-") as name:
        frames = Path(name) / "frames"
        frames.mkdir()
        film, site = Film(frames), page_scenes.built_site(Path(name) / "site")
        with serving(demo) as server, browser(server.url) as page:
            wait_for("The web server", server.is_ready, 300)
            record(Recording(page, film, demo, server, site), lines, seconds)
        film.write(HERE / "market-pipeline.mp4")
    size = (HERE / "market-pipeline.mp4").stat().st_size
    print(f"film: {film.seconds:.0f} s long, {size / 1e6:.1f} MB, made in {time.monotonic() - began:.0f} s")


def record(recording: Recording, lines: list[str], seconds: float) -> None:
    """Every scene, in the order of the film."""
    newest = max(command_scenes.days_in(lines))
    page_scenes.opening(recording)
    page_scenes.reasons(recording)
    page_scenes.install(recording)
    command_scenes.demo(recording, lines, seconds)
    server_scenes.graph(recording)
    sessions = sessions_before(newest, 1)
    server_scenes.backfill(recording, f"[{sessions[0]}...{sessions[-1]}]")
    server_scenes.run_page(recording)
    server_scenes.killed_run(recording, sessions_before(newest, 3)[0], sessions[-1])
    page_scenes.report(recording)
    command_scenes.one_symbol(recording)
    command_scenes.risk(recording)
    page_scenes.portfolio(recording)
    command_scenes.notebook(recording)
    page_scenes.results(recording)
    page_scenes.machines(recording)
    page_scenes.closing(recording)


def output_of(demo: DemoDirectory) -> tuple[list[str], float]:
    """The lines that the demo printed and how long it took, in seconds; runs it if it has not run here."""
    kept = demo.folder / DEMO
    if not kept.exists():
        began = time.monotonic()
        lines = demo.run("demo")
        kept.write_text(json.dumps([lines, time.monotonic() - began]), encoding="utf-8")
        print(f"demo: {time.monotonic() - began:.0f} s", flush=True)
    lines, seconds = json.loads(kept.read_text(encoding="utf-8"))
    return lines, seconds


def sessions_before(newest: dt.date, months: int) -> list[str]:
    """The sessions of the months before that of the demo's newest session."""
    [stocks] = [market for market in load_markets(packaged_config("simulated")) if market.name == "stocks"]
    last = newest.replace(day=1) - dt.timedelta(days=1)
    first = last.replace(day=1)
    for _ in range(1, months):
        first = (first - dt.timedelta(days=1)).replace(day=1)
    return [str(session) for session in stocks.sessions_between(first, last)]


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
            main(Path(sys.argv[1]).resolve())
        else:
            with tempfile.TemporaryDirectory(prefix="market-pipeline-demo-") as temporary:
                main(Path(temporary))
    except RuntimeError as error:
        sys.exit(f"Error: {error}")
