"""What mkdocs does not do by itself: navigation, files that lie beside `docs/`, no host of others.

A hook of mkdocs (mkdocs.yml). The navigation follows from the folders, so that a new page needs no line
here. Links to other files of the repository lead to copies of them in the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MERMAID = Path(".venv-site/node_modules/mermaid/dist/mermaid.min.js")

TOP = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Pages of the repository that are pages of the site as well."""

HOW_TO: Mapping[str, tuple[str, ...]] = {
    "Control systems": ("tango", "epics", "areadetector", "http", "page", "python", "bluesky"),
    "Coming from": ("coming-from-*", "std-daq-services", "ring-buffer"),
    "Several processes and hosts": ("parts", "several-*"),
    "Operation": ("service", "doctor", "security", "observability", "upgrading"),
}
"""Groups of how-to pages, by what their names match; all others are tasks."""

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")
FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//[^>\s]+"""
    r"""|<link[^>]*rel=["']?(?:stylesheet|preconnect|preload|icon)[^>]*href=["']?(?:https?:)?//[^>\s]+"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//[^\s;]+|url\(["']?(?:https?:)?//[^)]+"""
)


def on_config(config: Any) -> Any:
    """The navigation, and the script that draws diagrams."""
    config.nav = list(_navigation())
    if (ROOT / MERMAID).exists():
        config.extra_javascript.append("javascripts/mermaid.min.js")
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Pages and files from outside `docs/`, as far as something links to them."""
    for name in TOP:
        if (ROOT / name).exists():
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for source in sorted(_linked_sources()):
        files.append(File.generated(config, _copy_of(source), abs_src_path=str(ROOT / source)))
    if (ROOT / MERMAID).exists():
        files.append(File.generated(config, "javascripts/mermaid.min.js", abs_src_path=str(ROOT / MERMAID)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links that GitHub understands, as mkdocs does."""
    return LINK.sub(lambda match: _link(match, page.file.src_uri), markdown)


def on_post_build(*, config: Any) -> None:
    """Nothing may be fetched from a host of others: beamlines have no internet."""
    for path in Path(config.site_dir).rglob("*"):
        if path.suffix in (".html", ".css"):
            found = FOREIGN.search(path.read_text(encoding="utf-8"))
            if found:
                raise PluginError(f"{path}: fetched from elsewhere: {found[0]}")


def _navigation() -> Iterator[dict[str, Any] | str]:
    yield {"Overview": "README.md"}
    yield {"Tutorials": _titled(_pages("tutorials"))}
    left = _pages("how-to")
    groups: dict[str, list[str]] = {}
    for title, patterns in HOW_TO.items():
        groups[title] = [page for p in patterns for page in left if Path(page).match(f"{p}.md")]
        left = [page for page in left if page not in groups[title]]
    solving = "how-to/troubleshooting.md"
    groups = {"Tasks": [page for page in left if page != solving], **groups}
    yield {"How-to": [{title: _titled(pages)} for title, pages in groups.items()]}
    yield {"Troubleshooting": solving}
    beside = [page for page in _pages(".") if page not in ("README.md", "performance.md")]
    yield {"Explanations": _titled([*_pages("explanations"), *beside])}
    yield {"Performance": _titled(["performance.md", *_pages("performance")])}
    yield {"Reference": _titled(_pages("reference"))}
    yield {"Decisions": _titled(_pages("decisions"))}
    yield {"Project": [name for name in TOP if (ROOT / name).exists()]}


def _titled(pages: list[str]) -> list[dict[str, str]]:
    """The pages by their headings; most of those that are generated begin with a comment."""
    texts = {page: (DOCS / page).read_text(encoding="utf-8") for page in pages}
    return [{_heading(text) or Path(page).stem: page} for page, text in texts.items()]


def _heading(text: str) -> str:
    found = TITLE.search(text)
    return found[1].replace("`", "") if found else ""


def _pages(folder: str) -> list[str]:
    return sorted(path.relative_to(DOCS).as_posix() for path in (DOCS / folder).glob("*.md"))


def _link(match: re.Match[str], page: str) -> str:
    target, anchor = match[1], match[2] or ""
    source = _in_repository(page, target)
    if source is None:
        return match[0]
    if source in TOP:
        there = source
    elif source.startswith("docs/"):
        there = source.removeprefix("docs/")
        if (ROOT / source).is_dir():
            there = next(iter(_pages(there)), there)
    else:
        there = _copy_of(source)
    return f"]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor})"


def _in_repository(page: str, target: str) -> str | None:
    """The path of what a page links to, in the repository; None for what is not there."""
    folder = "" if page in TOP else posixpath.join("docs", posixpath.dirname(page))
    path = posixpath.normpath(posixpath.join(folder, target))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def _linked_sources() -> Iterator[str]:
    pages = [(path, path.relative_to(DOCS).as_posix()) for path in DOCS.rglob("*.md")]
    pages += [(ROOT / name, name) for name in TOP if (ROOT / name).exists()]
    found = set()
    for path, page in pages:
        for match in LINK.finditer(path.read_text(encoding="utf-8")):
            source = _in_repository(page, match[1])
            if source and not source.startswith("docs") and source not in TOP:
                found.add(source)
    for source in found:
        yield _file_of(source)


def _file_of(source: str) -> str:
    """The file itself; of a folder its README, or its first file."""
    if not (ROOT / source).is_dir():
        return source
    names = sorted(path.name for path in (ROOT / source).iterdir() if path.is_file())
    return f"{source}/{next((n for n in names if n.startswith('README')), names[0])}"


def _copy_of(source: str) -> str:
    """Where a file of the repository is in the site; as text, so that a browser shows it."""
    return f"source/{_file_of(source)}.txt"
