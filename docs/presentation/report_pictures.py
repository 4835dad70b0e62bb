"""Pictures of the report for the README and the site: `python docs/presentation/report_pictures.py REPORT SYMBOL`.

REPORT is a report.html, SYMBOL the market and name of what its section shows, as in its address: stocks/AUTOREG.
"""

# ruff: noqa: INP001  a script

import argparse
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from screens import FLAGS, chromium

IMAGES = Path(__file__).parent.parent / "images"
DESKTOP = {"width": 1280, "height": 980}
PHONE = {"width": 390, "height": 844}


def picture(browser: Browser, address: str, name: str, size: dict[str, int], scheme: str, at: str) -> None:
    """Save one screen of the report, scrolled so that the element `at` is at its top."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address)
    page.evaluate("at => document.querySelector(at).scrollIntoView()", at)
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("symbol")
    given = parser.parse_args()
    address = given.report.resolve().as_uri()
    of_symbol = f"{address}#symbol/{given.symbol}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for scheme in ("light", "dark"):
            picture(browser, address, f"report-{scheme}", DESKTOP, scheme, "body")
            picture(browser, of_symbol, f"report-symbol-{scheme}", DESKTOP, scheme, "#symbol")
        picture(browser, of_symbol, "report-phone", PHONE, "light", "#symbol")
        browser.close()


if __name__ == "__main__":
    main()
