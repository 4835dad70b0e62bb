"""The skill of each model that claims the range, of docs/runs/five-years.md, as the figures of the technical report.

`.venv/bin/python benchmarks/range_skill.py` writes them. Plain SVG, so that the same table gives the same file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
FILES = {"en": "range-skill.svg", "fr": "range-skill-fr.svg"}
WORDS = {
    "en": {"stocks": "stocks", "crypto": "cryptocurrencies", "session": "session", "title": "Skill on the range, %"},
    "fr": {"stocks": "actions", "crypto": "cryptomonnaies", "session": "séance", "title": "Gain sur l’intervalle, %"},
}
MODELS = {"har": "#1b4965", "garch": "#c8553d", "ewma": "#7a7a7a", "ensemble": "#5b8e7d"}
LEFT, TOP, WIDE, ROW, LOWEST, HIGHEST = 90, 62, 290, 44, -1.0, 2.25


class Skill(NamedTuple):
    """One comparison: skill in per cent, and whether it has a verdict."""

    market: str
    model: str
    sessions: int
    skill: float
    won: bool


def skills() -> Iterator[Skill]:
    """The comparisons of the models in the figure, in the order of the page."""
    page, market = (DOCS / "runs" / "five-years.md").read_text(encoding="utf-8"), ""
    for line in page.splitlines():
        if found := re.fullmatch(r"## (\w+): skill against the random walk", line):
            market = found[1]
        elif line.startswith("| range | ") and line.count("|") == 10:
            _, model, sessions, _, _, skill, _, _, verdict = (cell.strip() for cell in line.strip("|").split("|"))
            if model in MODELS:
                yield Skill(market, model, int(sessions), float(skill.removesuffix(" %")), verdict == "beats baseline")


def figure(language: str) -> str:
    """The figure as SVG: a panel per market, a row per horizon, a dot per model; filled where it has a verdict."""
    words = WORDS[language]
    marks = [f'<text x="{LEFT}" y="18" font-weight="bold">{words["title"]}</text>', *_legend()]
    for panel, market in enumerate(("stocks", "crypto")):
        left = LEFT + panel * (WIDE + 40)
        marks.append(f'<text x="{left}" y="{TOP - 8}">{words[market]}</text>')
        marks += _axis(left)
        for row, sessions in enumerate((1, 5, 20)):
            y = TOP + ROW * row + ROW // 2
            if not panel:
                plural = "s" if sessions > 1 else ""
                marks.append(
                    f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{sessions} {words["session"]}{plural}</text>'
                )
            for one in skills():
                if (one.market, one.sessions) == (market, sessions):
                    marks.append(
                        _dot(_x(left, one.skill), y + 7 * [*MODELS].index(one.model) - 10, one.model, filled=one.won)
                    )
    wide, high = LEFT + 2 * WIDE + 60, TOP + 3 * ROW + 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    font = 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12" fill="#222"'
    paper = f'<rect width="{wide}" height="{high}" fill="#fff"/>'
    return "\n".join([f"{head} {font}>", paper, *marks, "</svg>\n"])


def _dot(x: float, y: int, model: str, *, filled: bool = True) -> str:
    color = MODELS[model]
    return f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{color if filled else "#fff"}" stroke="{color}"/>'


def _x(left: int, skill: float) -> float:
    return left + WIDE * (skill - LOWEST) / (HIGHEST - LOWEST)


def _legend() -> Iterator[str]:
    for place, model in enumerate(MODELS):
        x = LEFT + 290 + 85 * place
        yield f'{_dot(x, 14, model)}<text x="{x + 9}" y="18">{model}</text>'


def _axis(left: int) -> Iterator[str]:
    for tick in (-1, 0, 1, 2):
        x, bottom = _x(left, tick), TOP + 3 * ROW
        width = 1.5 if tick == 0 else 0.5
        yield f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#888" stroke-width="{width}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick}</text>'


if __name__ == "__main__":
    for name, file in FILES.items():
        (DOCS / "images" / file).write_text(figure(name), encoding="utf-8")
