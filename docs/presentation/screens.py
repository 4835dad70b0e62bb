"""Screenshots: pages in the system's Chromium, and the output of commands drawn as a terminal.

Handles rendering, whatever the content.
"""

# ruff: noqa: INP001  imported by a script

import html
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from demo_directory import COLUMNS
from film import HEIGHT, STRIP, WIDTH
from playwright.sync_api import Page, Route, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROWS = 30
"""Lines of the terminal."""

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--hide-scrollbars",
]  # fmt: skip

THEME = TerminalTheme(
    (24, 27, 38),
    (214, 220, 236),
    [
        (60, 66, 86), (240, 113, 120), (129, 199, 132), (236, 196, 108),
        (122, 162, 247), (190, 149, 255), (102, 204, 212), (200, 206, 222),
    ],
    [
        (112, 120, 146), (255, 139, 146), (158, 222, 160), (255, 218, 138),
        (152, 186, 255), (210, 178, 255), (140, 226, 232), (240, 243, 250),
    ],
)  # fmt: skip

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #0f1220; }}
#window {{ margin: 18px 24px; height: {height}px; border-radius: 10px; background: #181b26; overflow: hidden;
  box-shadow: 0 6px 30px #0008; display: flex; flex-direction: column; }}
#bar {{ background: #232737; color: #9aa3bd; font: 13px "DejaVu Sans", sans-serif; padding: 7px 14px; flex: none; }}
#bar i {{ display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 7px; }}
#screen {{ overflow: hidden; padding: 12px 18px; flex: auto; }}
pre {{ margin: 0; font: 15px/19px "DejaVu Sans Mono", monospace; color: #d6dcec; white-space: pre; }}
</style><div id="window"><div id="bar"><i style="background:#f07178"></i><i style="background:#ecc46c"></i>
<i style="background:#81c784"></i>{title}</div><div id="screen">{lines}</div></div>"""

CARD = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; height: {height}px; display: flex; flex-direction: column; justify-content: center;
  padding: 0 110px; background: #16213a; color: #fff; font-family: "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 52px; margin: 0 0 22px; }}
p {{ font-size: 25px; line-height: 1.45; color: #c9d6f2; margin: 0 0 14px; }}
code {{ font: 23px "DejaVu Sans Mono", monospace; color: #fff; }}
</style><h1>{title}</h1>{body}"""


@contextmanager
def browser(server: str) -> Iterator[Page]:
    """A page in the size of the film that connects to `server` and to files, and to no other host."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = found.new_page(viewport={"width": WIDTH, "height": HEIGHT - STRIP})
            page.set_default_timeout(120_000)

            def allow_local(route: Route) -> None:
                known = route.request.url.startswith((server, "data:", "blob:", "file:"))
                route.continue_() if known else route.abort()

            page.route("**/*", allow_local)
            yield page
        finally:
            found.close()


def chromium() -> str:
    """Path of the system's browser; raises RuntimeError if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise RuntimeError(
        "Chromium is needed to take the screenshots. Install it: apt-get install chromium (Debian, Ubuntu)."
    )


def terminal(page: Page, title: str, lines: list[str]) -> bytes:
    """Image of a terminal with the last ROWS of `lines`, which may contain ANSI colours."""
    drawn = "".join(f"<pre>{coloured(line) or ' '}</pre>" for line in lines[-ROWS:])
    page.set_content(PAGE.format(title=html.escape(title), lines=drawn, height=HEIGHT - STRIP - 36))
    return page.screenshot()


def card(page: Page, title: str, *paragraphs: str) -> bytes:
    """Image with a title and a few lines in large type; the paragraphs are HTML."""
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    page.set_content(CARD.format(title=html.escape(title), body=body, height=HEIGHT - STRIP))
    return page.screenshot()


def coloured(line: str) -> str:
    """One line of ANSI text as HTML."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(line), soft_wrap=True, end="")
    return console.export_html(theme=THEME, inline_styles=True, code_format="{code}")
