"""MkDocs hook: generates pages at each build, rewrites links between them, and expands the nav.

Handles MkDocs and the location of pages; `reference.py` makes the content of the reference.
"""

import importlib.util
import json
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
TOP = HERE.parent
PACKAGE = "market_pipeline"
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages of the folder, the generated pages, and the nav that lists them all."""
    pages = {page_of(path): (TOP / path).read_text(encoding="utf-8") for path in ("README.md", "CHANGELOG.md")}
    for readme in sorted((TOP / PACKAGE).rglob("README.md")):
        pages[page_of(readme.relative_to(TOP).as_posix())] = readme.read_text(encoding="utf-8")
    pages |= _reference().pages()
    for notebook in sorted((TOP / "docs" / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{notebook.stem}.md"] = notebook_page(json.loads(notebook.read_text(encoding="utf-8")))
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    config.nav = expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """The page with its links pointing to other pages of the site."""
    return relinked(markdown, page.file.src_uri)


def page_of(path: str) -> str:
    """The page of the site made from a file of the repository; '' for a file without one.

    >>> page_of("docs/faq.md"), page_of("market_pipeline/storage/tables/README.md"), page_of("Makefile")
    ('faq.md', 'packages/storage.tables.md', '')
    """
    if path in {"README.md", "CHANGELOG.md"}:
        return {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}[path]
    if path.startswith(f"{PACKAGE}/") and path.endswith("/README.md"):
        return f"packages/{dirname(path).removeprefix(f'{PACKAGE}/').replace('/', '.')}.md"
    return re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/")) if path.startswith("docs/") else ""


def source_of(page: str) -> str:
    """The file of the repository that a page is made from.

    >>> source_of("packages/storage.tables.md"), source_of("faq.md")
    ('market_pipeline/storage/tables/README.md', 'docs/faq.md')
    """
    if page.startswith("packages/"):
        return f"{PACKAGE}/{page.removeprefix('packages/').removesuffix('.md').replace('.', '/')}/README.md"
    return {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}.get(page, f"docs/{page}")


def relinked(markdown: str, page: str) -> str:
    """Markdown whose links are relative to the page; a link to a file without a page becomes plain text."""
    folder = dirname(source_of(page))

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return found.group()
        there = page_of(normpath(join(folder, path)))
        return f"[{text}]({relpath(there, dirname(page) or '.')}{f'#{anchor}' if anchor else ''})" if there else text

    parts = FENCED.split(markdown)
    parts[::2] = [re.sub(r"(src|srcset)=\"docs/", r'\1="', LINK.sub(link, part)) for part in parts[::2]]
    return "".join(parts)


def expanded(nav: Iterable[Any], pages: list[str]) -> list[Any]:
    """The nav with its patterns replaced by the pages they match; entries without a match are left out."""
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            found += [{title: expanded(below, pages)} for title, below in entry.items()]
        else:
            found += sorted(page for page in pages if fnmatch(page, entry))
    return [entry for entry in found if not isinstance(entry, dict) or any(entry.values())]


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown: its text, its code, and the text, tables and images in its output."""
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
