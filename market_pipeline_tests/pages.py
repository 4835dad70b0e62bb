"""The pages of the documentation, and the fenced blocks in them that tests run."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TOP = Path(__file__).parent.parent
PAGES = [
    TOP / "README.md",
    TOP / "CHANGELOG.md",
    *sorted((TOP / "docs").rglob("*.md")),
    *sorted((TOP / "market_pipeline").rglob("README.md")),
]

FENCE = re.compile(r"^```(\w*)(.*)$")
REASON = re.compile(r"^<!-- not run: (.+) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    title: str
    """The file that the block contains or changes; '' without one."""
    text: str
    reason_not_run: str
    """Why no test can run it; '' for a block that is run."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @cached_property
    def commands(self) -> list[str]:
        """The commands of a console block, without prompts and comments; continued lines are joined."""
        whole = self.text.replace("\\\n", " ")
        lines = [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [re.sub(r"\s+#( .*)?$", "", line).strip() for line in lines]


def blocks_of(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, inside, reason = list[Block](), False, ""
    start, language, title, body = 0, "", "", list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line.strip())
        if inside and line.strip() == "```":
            text = "\n".join(body) + "\n"
            found.append(Block(str(path.relative_to(TOP)), start, language, title, text, reason))
            inside, reason = False, ""
        elif inside:
            body.append(line)
        elif fence:
            named = re.search(r'title="([^"]+)"', fence[2])
            inside, start, language, title, body = True, number, fence[1], named[1] if named else "", []
        elif line.strip():
            comment = REASON.match(line.strip())
            reason = comment[1] if comment else ""
    assert not inside, f"{path} has a block without a closing fence"
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(*languages: str) -> list[Block]:
    """Every block of some languages, on all pages."""
    return [block for block in BLOCKS if block.language in languages]
