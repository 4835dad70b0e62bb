"""The report in a browser, as its tests open it."""

from typing import Any

from market_pipeline_tests.orchestration.test_ui import QUIET, chromium

__all__ = ["QUIET", "Session", "chromium"]


class Session:
    """A browser with the report open; `complaints` are errors, and every request to a network."""

    def __init__(self, browser: Any, report: str, **context: Any) -> None:
        self.complaints: list[str] = []
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(report)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(request.url)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the rows that are shown, without the plot."""
        found: list[list[str]] = self.page.evaluate(
            "() => [...document.querySelectorAll('#table tbody tr:not([hidden])')].map("
            "row => [...row.cells].filter(cell => cell.className !== 'plot').map(cell => cell.innerText))"
        )
        return [[" ".join(cell.split()) for cell in row] for row in found]

    @property
    def symbols(self) -> list[str]:
        """The symbols that are shown, in order."""
        return [row[0] for row in self.rows]

    @property
    def focused(self) -> str:
        """The text, or else the id, of what has the focus."""
        found: str = self.page.evaluate("document.activeElement.innerText || document.activeElement.id")
        return found

    def text(self, place: str) -> str:
        """The text of one element."""
        found: str = self.page.locator(place).inner_text()
        return " ".join(found.replace("\u202f", " ").split())

    def sort_by(self, column: str) -> None:
        self.page.locator(f"#table [data-sort={column}]").click()

    def switch(self, name: str, value: str) -> None:
        self.page.locator(f"input[name={name}][value='{value}']").check(force=True)
