"""The report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from rehearsal.report.model import Report

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class RenderedSummary:
    name: str
    stage: str
    html: str


def render_page(report: Report) -> str:
    """The page as text. Everything that comes from a run is escaped; a summary's Markdown may hold no HTML of its own."""
    templates = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    markdown = MarkdownIt("js-default", {"html": False}).enable("table")
    summaries = [
        # html is off: whatever HTML stands in a summary comes out escaped, so the page may take the result as it is.
        RenderedSummary(item.name, item.stage, markdown.render(item.markdown))
        for item in report.summaries
    ]
    return templates.get_template("page.html.j2").render(
        report=report,
        summaries=summaries,
        total=max(report.seconds, 0.001),
        started=datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def write_page(report: Report, folder: Path) -> Path:
    """Write `index.html` into `folder`, replacing the one of the last rehearsal whole. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / "index.html.part"
    half.write_text(render_page(report), encoding="utf-8")
    return half.replace(folder / "index.html")
