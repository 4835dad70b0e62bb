"""The first sentence of each error that the package raises, read from its code."""

import ast
from importlib.resources import files
from pathlib import Path

from market_pipeline.errors import MarketPipelineError

PACKAGE = Path(str(files("market_pipeline")))
KINDS = {kind.__name__ for kind in (MarketPipelineError, *MarketPipelineError.__subclasses__())}


def raised_errors() -> dict[str, str]:
    """Each first sentence, with '…' for each value, and where it is raised; messages built elsewhere are left out."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                sentence = _first_sentence(node.exc.args[0])
                if getattr(node.exc.func, "id", "") in KINDS and sentence:
                    found[sentence] = f"{path.relative_to(PACKAGE)}:{node.lineno}"
    return found


def _first_sentence(message: ast.expr) -> str:
    """The first sentence of a literal message, with '…' for each value; '' when no part of it is a literal."""
    parts = [_text(part) for part in _operands(message)]
    text = "".join(parts)
    sentence = text.split(". ")[0].rstrip(". ")
    return sentence if any(letter.isalpha() for letter in sentence) else ""


def _operands(message: ast.expr) -> list[ast.expr]:
    if isinstance(message, ast.BinOp):
        return [*_operands(message.left), *_operands(message.right)]
    return list(message.values) if isinstance(message, ast.JoinedStr) else [message]


def _text(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "…"
