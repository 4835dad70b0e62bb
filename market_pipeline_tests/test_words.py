"""Identifiers, docstrings, comments, messages and pages use the terms of the field, and no retired word."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
CODE = sorted(
    path
    for folder in ("market_pipeline", "market_pipeline_tests", "benchmarks", ".ci", "docs")
    for path in (TOP / folder).rglob("*.py")
    if path != Path(__file__)
)
PAGES = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md")), *sorted((TOP / "market_pipeline").rglob("*.md"))]
TEMPLATES = sorted((TOP / "market_pipeline").rglob("*.html")) + sorted((TOP / "market_pipeline").rglob("*.js"))
NOTEBOOKS = sorted((TOP / "docs").rglob("*.ipynb"))

RETIRED = re.compile(
    r"""\b(
    houses?|rooms?|mend(s|ed|ing|able)?|anew|heed(s|ed|ing)?|garbled?|witness(es)?|courtesy|courtesies|surroundings|
    speaks?|spoken?|speaking|told|tells?|telling|said|says?|saying|dear|dearer|lest|whoever|wild|fifths?|served|
    reigns?|reigning|contests?|rebas(e|es|ed|ing)|strangers?|manners|
    beats\ it|too\ early|too\ little\ data|who\ may\ lead|came\ due|comes?\ due|fell\ due|falls?\ due|
    a\ home|the\ home|its\ home|homes|homes'|of\ the\ house|champion's\ say|said\ live
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)

IN_FRENCH = re.compile(r"rapport-technique")
QUOTED = {
    "tell": ("file.tell", "self.tell"),
}
"""Words that a library spells so."""


def words_of(identifier: str) -> str:
    """An identifier as words: `saw_its_future` and `SawItsFuture` read alike."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", identifier.replace("_", " "))


def texts_of_code(path: Path) -> Iterator[tuple[int, str]]:
    """Each identifier, comment and string of a file, with its line."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], words_of(token.string)
        elif token.type in (tokenize.COMMENT, tokenize.STRING) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield token.start[0], token.string.replace("_", " ")


def texts_of_page(path: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(path.read_text(encoding="utf-8").replace("_", " ").splitlines(), 1)


def texts_of_notebook(path: Path) -> Iterator[tuple[int, str]]:
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        yield number, "".join(cell["source"]).replace("_", " ")


def retired(texts: Iterator[tuple[int, str]]) -> list[str]:
    """Line and word of each retired word."""
    return [f"{line}: {found.group()}" for line, text in texts for found in RETIRED.finditer(text)]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(TOP)))
def test_code_uses_the_terms_of_the_field(path: Path) -> None:
    assert retired(texts_of_code(path)) == []


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: str(path.relative_to(TOP)))
def test_pages_use_the_terms_of_the_field(path: Path) -> None:
    if not IN_FRENCH.search(path.name):
        assert retired(texts_of_page(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(TOP)))
def test_notebooks_use_the_terms_of_the_field(path: Path) -> None:
    assert retired(texts_of_notebook(path)) == []


def test_a_retired_word_is_found_wherever_it_stands(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        'def said_live():\n    """Nothing."""\n    raise ValueError(f"Mend {1} first.")  # anew\n', encoding="utf-8"
    )
    assert [found.split(": ")[1] for found in retired(texts_of_code(code))] == ["said", "Mend", "anew"]
    assert ast.parse(code.read_text(encoding="utf-8"))
