"""The page around the sections: one file that needs nothing else and asks no network."""

from pathlib import Path

from pipelines.report.data import ReportData
from pipelines.report.html import Markup, join, text
from pipelines.report.sections import all_sections, summary
from pipelines.store.files import write_atomic

# No script, no font, no frame, no request: even a label that slipped through could do nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --muted: #566370; --line: #dfe4ea;
  --page: #f4f6f8; --paper: #ffffff; --mark: #eaf3fa; --accent: #0072b2;
  --good: #00704f; --warning: #9a5b00; --bad: #b3261e; --open: #566370; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf0; --muted: #9aa7b4; --line: #36414d;
  --page: #12181f; --paper: #1b232c; --mark: #22323f; --accent: #56b4e9;
  --good: #3fc79a; --warning: #f0b03f; --bad: #ff8a80; --open: #9aa7b4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
header > p { margin: 0; color: var(--muted); font-size: .875rem; }
h1 { margin: .15rem 0 1rem; font-size: 1.6rem; line-height: 1.25; text-wrap: balance;
  overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.2rem; }
h3 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
h3 small { font-weight: normal; color: var(--muted); }
p, ul, dl { margin: 0 0 .75rem; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; }
section, .headline, .tile { background: var(--paper); border: 1px solid var(--line);
  border-radius: .6rem; }
section { margin-top: 1rem; padding: 1.1rem 1.25rem; }
.headline { padding: 1rem 1.25rem .4rem; border-left: .4rem solid var(--level); }
.headline .line { font-size: 1.15rem; font-weight: 600; line-height: 1.4; }
section .headline { margin-bottom: .75rem; } section .headline .line { font-size: 1rem; }
.good { --level: var(--good); } .warning { --level: var(--warning); }
.bad { --level: var(--bad); } .open { --level: var(--open); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: .75rem 0; }
.tile { padding: .7rem .9rem; }
.tile span { display: block; color: var(--muted); font-size: .8rem; overflow-wrap: anywhere; }
.tile b { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: 1rem; font-size: .9rem; }
a { color: var(--accent); }
.badge { display: inline-block; padding: 0 .5em; border: 1px solid var(--level);
  border-radius: 1em; color: var(--level); font-size: .8rem; font-weight: 600; }
.scroll { overflow-x: auto; } section > .scroll:last-child table { margin-bottom: 0; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; margin-bottom: .75rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
td:first-child { min-width: 9rem; white-space: normal; overflow-wrap: anywhere; }
th { color: var(--muted); font-size: .8rem; font-weight: 600; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.marked td { background: var(--mark); font-weight: 600; }
figure { margin: 0 0 1rem; }
img { display: block; width: min(100%, 32rem); height: auto; margin: 0 auto; }
.wide img { width: auto; max-width: none; }
figcaption { color: var(--muted); font-size: .85rem; text-align: center; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
pre, code { font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { margin: 0; padding: .75rem; overflow-x: auto; background: var(--page); border-radius: .4rem; }
.hash { color: var(--muted); font-size: .85rem; } .hash code { overflow-wrap: anywhere; }
.changes { list-style: none; padding: .5rem .75rem; background: var(--page); border-radius: .4rem;
  font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.plan + .plan { border-top: 1px solid var(--line); padding-top: .25rem; margin-top: 1rem; }
.plan p:last-child { margin-bottom: 0; }
@media (max-width: 30rem) { section, .headline { padding-left: .9rem; padding-right: .9rem; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } h1 { font-size: 1.35rem; }
  th, td { padding: .35rem .4rem; } table { font-size: .85rem; } }
@media print { :root { --page: #ffffff; --paper: #ffffff; } body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; } nav { display: none; }
  section { border: 0; padding: 0; margin-top: 1.2rem; }
  .wide img { max-width: 100%; } figure, tr, .plan, .tile { break-inside: avoid; }
  h2, h3 { break-after: avoid; } .scroll { overflow: visible; } pre { white-space: pre-wrap; } }
"""


def write_report(path: Path, report: ReportData) -> None:
    """Write the report as one HTML file, whole or not at all. Raises OSError if it cannot."""
    write_atomic(path, render_page(report))


def render_page(report: ReportData) -> str:
    """The report as HTML; the same report gives the same text."""
    sections = all_sections(report)
    links = "".join(f'<a href="#{name}">{text(title)}</a>' for name, title, _ in sections)
    return document(
        f"{report.goal} · netloop {report.run}",
        Markup(
            f"<p>netloop report &middot; run {text(report.run)} &middot; {text(report.outcome)}</p>"
            f"\n<h1>{text(report.goal, 2000)}</h1>"
        ),
        summary(report),
        Markup(f'<nav aria-label="Sections">{links}</nav>'),
        *(Markup(content) for _, _, content in sections),
    )


def document(title: str, header: Markup, *parts: Markup) -> str:
    """A whole page: its title in the window, its head, what stands under it."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{text(title, 120)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
{header}
</header>
{join(parts)}
</main>
</body>
</html>
"""
