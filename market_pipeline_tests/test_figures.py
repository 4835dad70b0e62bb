"""A figure stands once, where a run or the configuration has it: what pages repeat is compared with that place."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator

import pytest

from benchmarks.range_skill import FILES, figure
from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline_tests.pages import TOP

README = (TOP / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def rows(page: str) -> Iterator[list[str]]:
    """The cells of each table row of a page."""
    for line in (TOP / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def skills() -> dict[str, list[tuple[str, float, str]]]:
    """By question: model, skill in per cent and verdict of each comparison of a model that claims the question."""
    found = defaultdict[str, list[tuple[str, float, str]]](list)
    for row in rows("docs/runs/five-years.md"):
        if len(row) == 9 and row[1] != "model" and row[0] in claims_of(row[1]):
            found[row[0]].append((row[1], float(row[5].removesuffix(" %").replace(",", "")), row[8]))
    return found


LABELS = {
    "README.md": ("return: ", "direction: ", "range: ", "rank: "),
    "docs/report.md": ("return: ", "direction: ", "range: ", "rank: "),
    "docs/rapport-technique.md": ("rendement : ", "direction : ", "intervalle : ", "rang : "),
}
"""How the pages name the questions that the five years answer."""


@pytest.mark.parametrize("page", LABELS)
@pytest.mark.parametrize("place", range(4), ids=("return", "direction", "range", "rank"))
def test_a_page_counts_the_comparisons_of_the_five_years(page: str, place: int) -> None:
    [(_, comparisons, won, by)] = [row for row in rows(page) if row[0].startswith(LABELS[page][place])]
    results = skills()[("return", "direction", "range", "rank")[place]]
    winners = [skill for _, skill, verdict in results if verdict == "beats baseline"]
    assert (int(comparisons), int(won)) == (len(results), len(winners))
    if winners:
        least, most = f"{min(winners):.1f}", f"{max(winners):.1f}"
        french = f"de {least} à {most} %".replace(".", ",")
        assert f"by {least} to {most} %" in by or french in by


@pytest.mark.parametrize("language", FILES)
def test_a_figure_shows_the_five_years(language: str) -> None:
    assert (TOP / "docs" / "images" / FILES[language]).read_text(encoding="utf-8") == figure(language)


def test_the_first_page_has_the_error_of_prophet_in_the_five_years() -> None:
    errors = [1 - skill / 100 for model, skill, _ in skills()["return"] if model == "prophet"]
    assert f"Prophet's error is {min(errors):.0f} to {max(errors):.0f} times the random walk's" in README


def test_the_first_page_has_the_coverage_of_the_results() -> None:
    [first, *others] = [row for row in rows("docs/results.md") if row[0] in {"stocks", "crypto"} and len(row) == 6]
    assert f"covered {', '.join(first[2:4]).replace(' %', '')} and {first[4]} of the outcomes" in README
    deviations = [
        abs(float(cell[:-2]) - level) for row in others for cell, level in zip(row[2:5], (50, 80, 95), strict=True)
    ]
    assert max(deviations) < 2.5
    assert "within two and a half percentage points" in README


def test_badges_have_the_license_and_the_versions_of_the_project() -> None:
    lowest, highest = map(int, re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    versions = ", ".join(f"3.{minor}" for minor in range(lowest, highest))
    for name, value in {"license": PROJECT["license"], "python": versions}.items():
        badge = (TOP / "docs" / "images" / f"{name}.svg").read_text(encoding="utf-8")
        assert badge.count(value) == 3
        assert value in README


def test_the_first_page_is_short() -> None:
    assert README.count("\n") < 150
