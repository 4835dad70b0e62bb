"""What every scene is recorded with: the page of the browser, the film, the demo's directory and its server."""

# ruff: noqa: INP001  imported by a script

from dataclasses import dataclass
from pathlib import Path

from demo_directory import DemoDirectory, Server
from film import Film, still
from playwright.sync_api import Page
from scenes import SCENES
from screens import ROWS, terminal

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Recording:
    page: Page
    film: Film
    demo: DemoDirectory
    server: Server
    site: Path
    """The built documentation."""

    def show(self, name: str, image: bytes, seconds: float, **measured: str) -> None:
        """Add an image to the film, with the text of the scene `name`."""
        self.film.show(image, SCENES[name].filled(**measured), seconds)

    def screen(self, name: str, seconds: float, *, wait: float = 0, picture: str = "", **measured: str) -> None:
        """Add what the browser shows after `wait` seconds, and keep it as a still if `picture` names one."""
        self.page.wait_for_timeout(wait * 1000)
        image = self.page.screenshot()
        if picture:
            still(image, HERE / picture)
        self.show(name, image, seconds, **measured)

    def size(self, width: int) -> None:
        """A window of this width in the aspect ratio of the film: the wider, the smaller its text."""
        self.page.set_viewport_size({"width": width, "height": round(width * 656 / 1280)})

    def typed(self, name: str, command: str, lines: list[str], hold: float, **measured: str) -> bytes:
        """Add a command, then its output, scrolling; returns the last image."""
        self.size(1280)
        prompt = f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m"
        self.show(name, terminal(self.page, "market-pipeline", [prompt]), 1.2, **measured)
        everything = [prompt, *lines]
        first = min(ROWS, len(everything))
        image = terminal(self.page, "market-pipeline", everything[:first])
        self.show(name, image, hold, **measured)
        for end in range(first + 3, len(everything) + 3, 3):
            image = terminal(self.page, "market-pipeline", everything[:end])
            self.show(name, image, 0.25, **measured)
        if len(everything) > ROWS:
            self.show(name, image, hold, **measured)
        return image
