"""The report as one HTML page that needs no other file and no network: tables, figures, light and dark."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt

from evaluation.reports.parts import PartResult

_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --faint: #57606a; --page: #ffffff; --panel: #f6f8fa; --line: #d0d7de;
  --link: #0a58ca; --warn: #9a3412; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --faint: #9da7b3; --page: #0d1117; --panel: #161b22; --line: #30363d; --link: #79b8ff;
    --warn: #ffa657; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); }
a { color: var(--link); }
.frame { display: grid; grid-template-columns: 15rem minmax(0, 1fr); max-width: 82rem; margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  font-size: .9rem; }
nav ol { list-style: none; margin: 0; padding: 0; }
nav li { margin: .3rem 0; }
nav a { text-decoration: none; }
nav a:hover, nav a:focus-visible { text-decoration: underline; }
main { padding: 1rem 1.5rem 4rem; min-width: 0; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: .5rem; }
.about, .made { color: var(--faint); }
.made { font-size: .85rem; }
.problem { color: var(--warn); font-weight: 600; }
.table { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; text-align: left; }
td:first-child, th:first-child { white-space: normal; min-width: 11rem; }
th { background: var(--panel); }
tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--panel); }
pre { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: .6rem .8rem; font-size: .82rem; }
figure { margin: 1rem 1rem 1rem 0; display: inline-block; vertical-align: top; max-width: 100%; }
figure img { display: block; width: 34rem; max-width: 100%; background: #fff; border: 1px solid var(--line);
  border-radius: 6px; }
figcaption { color: var(--faint); font-size: .85rem; }
@media (max-width: 60rem) {
  .frame { display: block; }
  nav { position: static; max-height: none; border-bottom: 1px solid var(--line); }
}
@media print { nav { display: none; } .frame { display: block; } }
"""


def report_page(title: str, summary: str, parts: Sequence[PartResult]) -> str:
    """
    Make the page.

    Args:
        title: Heading of the page.
        summary: Markdown below the heading.
        parts: Parts in the order of the page.

    Returns:
        The page in HTML. Text of results is escaped; figures are inside.
    """
    links = "".join(f'<li><a href="#{html.escape(part.name)}">{html.escape(part.title)}</a></li>' for part in parts)
    sections = "\n".join(_section(part) for part in parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<div class="frame">
<nav aria-label="Parts of the report"><ol><li><a href="#top">Summary</a></li>{links}</ol></nav>
<main id="top">
<h1>{html.escape(title)}</h1>
{markdown_html(summary)}
{sections}
</main>
</div>
</body>
</html>
"""


def _section(part: PartResult) -> str:
    lines = [f'<section id="{html.escape(part.name)}">', f"<h2>{html.escape(part.title)}</h2>"]
    if part.about:
        lines.append(f'<p class="about">{html.escape(part.about)}</p>')
    if part.problem is not None:
        lines.append(f'<p class="problem">{html.escape(part.problem)}</p>')
    elif part.content is None:
        lines.append('<p class="problem">not computed yet</p>')
    lines += [_figure(path, part.title) for path in part.figures]
    if part.table:
        lines.append(markdown_html(part.table))
    made = [f"{part.seconds / 60:.1f} min"] if part.seconds is not None else []
    made += [str(part.content["date"])] if part.content is not None and "date" in part.content else []
    if made:
        lines.append(f'<p class="made">{html.escape(", ".join(made))}</p>')
    return "\n".join([*lines, "</section>"])


def _figure(path: Path, title: str) -> str:
    name = path.stem.replace("-", " ").replace("_", " ")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(f"{title}: {name}")}" loading="lazy">'
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
    )


def markdown_html(text: str) -> str:
    """
    Convert Markdown with tables to HTML. HTML in the text is shown, not executed.

    Args:
        text: The Markdown.
    """
    # The preset of CommonMark lets HTML through.
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return made.replace("<table>", '<div class="table" tabindex="0"><table>').replace("</table>", "</table></div>")


__all__ = ["markdown_html", "report_page"]
