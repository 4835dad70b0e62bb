"""The hook of the site: pages that are made at each build, and a nav of what exists.

Knows MkDocs and where pages lie; what a generated page says is `reference.py`'s business.
"""

import importlib.util
import json
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
TOP = HERE.parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages of the folder, those that are generated, and the nav that lists them all."""
    pages = {"index.md": first_page(), "changelog.md": (TOP / "CHANGELOG.md").read_text(encoding="utf-8")}
    pages |= _reference().pages()
    for notebook in sorted((TOP / "docs" / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{notebook.stem}.md"] = notebook_page(json.loads(notebook.read_text(encoding="utf-8")))
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    config.nav = expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links out of the folder lead to the pages made of those files."""
    up = "../" * page.file.src_uri.count("/")
    for name, made in {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(name)}", f"]({up}{made}", markdown)
    return re.sub(r"\]\(([./\w-]*notebooks/[\w-]+)\.ipynb", r"](\1.md", markdown)


def first_page() -> str:
    """The README, its links read from within docs/."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(\]\(|src=\"|srcset=\")docs/", r"\1", text)
    return text.replace("](CHANGELOG.md", "](changelog.md")


def expanded(nav: Iterable[Any], pages: list[str]) -> list[Any]:
    """A nav whose patterns are replaced by the pages that they match; entries that match nothing are left out."""
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            found += [{title: expanded(below, pages)} for title, below in entry.items()]
        else:
            found += sorted(page for page in pages if fnmatch(page, entry))
    return [entry for entry in found if not isinstance(entry, dict) or any(entry.values())]


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown: its words, its code, and the text, tables and pictures that it printed."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source:
            parts.append(f"```python\n{source}\n```")
            parts += [_printed(output) for output in cell.get("outputs", [])]
    return "\n\n".join(part for part in parts if part)


def _printed(output: dict[str, Any]) -> str:
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "image/png" in data:
        return f'<img alt="Output of the cell above" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    text = "".join(data.get("text/plain", "")).rstrip()
    return f"```text\n{text}\n```" if text else ""


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", HERE / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
