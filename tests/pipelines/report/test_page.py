"""The whole file: every section, nothing from outside, nothing that could run."""

import base64
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluate.captures import CaptureScore
from pipelines.report import data as d
from pipelines.report.html import Figure, Markup, element, preformatted, table, text
from pipelines.report.page import POLICY, render_page, write_report

SECTIONS = {
    "models": "models", "classes": "confusion", "draws": "few_labels", "learning": "curves",
    "features": "features", "synthetic": "explored",
    "audit": "audit", "split": "split", "data": "data", "plans": "plans", "limits": "limits",
    "again": "commands",
}  # fmt: skip
BARE = d.ReportData(run="r", goal="g", outcome="paused")
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></td></table><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<!-- ", "]]>", "&lt;b&gt; &amp; &#60;",
    "[green]APPROVED[/]", "\x1b[2J\x1b]52;c;AA\x07", "\u202eexe.\u2066", "\U000e0041\u200b",
    "\ud800", "{0} {x} %s %(x)s", "=cmd|' /C calc'!A0",
]  # fmt: skip

VOID = {"meta", "img", "source"}


class Page(HTMLParser):
    """Tags, attributes and visible words of a page; fails if a tag is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words += data + " "


ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "article",
    "div", "p", "h1", "h2", "h3", "small", "strong", "span", "b", "ul", "li", "dl", "dt", "dd", "a",
    "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "picture", "source", "img",
    "pre", "code",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "class", "id", "href", "src", "srcset", "alt", "media", "scope", "lang", "charset", "name",
    "content", "http-equiv", "aria-label",
}  # fmt: skip


def check_inert(html: str) -> Page:
    """Only our own tags and attributes, nothing that loads or runs, no unseen characters."""
    page = Page(html)
    assert set(page.tags) <= ALLOWED_TAGS
    assert {name for _, name, _ in page.attributes} <= ALLOWED_ATTRIBUTES
    for tag, name, value in page.attributes:
        if name in ("src", "srcset"):
            assert value.startswith("data:image/svg+xml;base64,"), tag
        if name == "href":
            assert re.fullmatch("#[a-z]+", value)
    for character in html.replace("\n", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    return page


def everywhere(report: d.ReportData, words: str) -> d.ReportData:
    """The report with ``words`` in every free text of it."""
    kept = {"outcome", "metric", "verdict", "granularity", "kind", "arm"}

    def fill(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {k: fill(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [fill(v, name) for v in value]
        return words if isinstance(value, str) and name not in kept else value

    return d.ReportData.model_validate(fill(report.model_dump()))


@pytest.mark.parametrize("classes", [2, 20, 40])
def test_full_report_is_inert(page, classes: int) -> None:
    html = page(classes)
    tags = check_inert(html).tags
    for name in SECTIONS:
        assert f'<section id="{name}">' in html
        assert f'<a href="#{name}">' in html
    assert len(html) < 3_000_000
    assert tags.count("img") == 6


def test_a_report_is_one_file(make, page, tmp_path: Path) -> None:
    """With the bytes of any other drawing of it."""
    path = tmp_path / "report.html"
    write_report(path, make(20))
    assert [path] == list(tmp_path.iterdir())
    assert path.read_text(encoding="utf-8") == page(20)


def test_nothing_comes_from_outside(page) -> None:
    html = page(20)
    assert not re.search(r"https?:|//[a-z]|@import|<link|<script|<iframe|url\((?!data:)", html)
    assert f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">' in html
    assert POLICY == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_bare_report_has_no_section() -> None:
    page = check_inert(render_page(BARE))
    assert "section" not in page.tags
    assert "img" not in page.tags
    assert "Paused: no model has been tested yet." in page.words


@pytest.mark.parametrize(("name", "field"), SECTIONS.items())
def test_what_is_absent_is_left_out(make, name: str, field: str) -> None:
    empty = {"confusion": ["confusion", "per_class"], "commands": ["commands", "spec"]}
    empty["models"] = ["models", "chosen", "difference"]
    empty["explored"] = ["explored", "made"]
    unset = {each: BARE.model_dump()[each] for each in empty.get(field, [field])}
    html = render_page(d.ReportData.model_validate({**make(3).model_dump(), **unset}))
    check_inert(html)
    assert f'<section id="{name}">' not in html
    assert f'href="#{name}"' not in html
    assert html.count("<section") == len(SECTIONS) - 1


@pytest.fixture(scope="module")
def clean_tags(make) -> list[str]:
    """The tags of a page whose words are harmless."""
    return Page(render_page(everywhere(make(3), "x"))).tags


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(make, clean_tags: list[str], words: str) -> None:
    assert check_inert(render_page(everywhere(make(3), words))).tags == clean_tags


@settings(max_examples=60, deadline=None)
@given(words=st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_words_stay_words(words: str) -> None:
    values = BARE.model_dump() | {
        "goal": words,
        "spec": words or "x",
        "limits": [words],
        "commands": [words or "x"],
        "plans": [
            {"stage": words, "version": 1, "planner": words, "summary": words, "changes": [words],
             "decision": words, "by": words, "note": words, "answer": words}
        ],
        "data": {"source": words or "x", "classes": [{"name": words}]},
    }  # fmt: skip
    check_inert(render_page(d.ReportData.model_validate(values)))


def test_first_line_is_what_was_found(lean: d.ReportData, page) -> None:
    words = " ".join(Page(page(3)).words.split())
    line = "cnn reaches macro-F1 0.908 (95 % interval 0.899 to 0.917), 0.022 better than"
    assert words.index(lean.goal) < words.index(line) < words.index("Models")
    assert page(3).count('class="headline warning"') == 1, "the audit doubts"
    missed = lean.model_copy(update={"target": 0.95})
    assert '<div class="headline warning"><p class="line">Target missed' in render_page(missed)


def rows_of(html: str, name: str) -> list[list[str]]:
    """The cells of all tables of a section, as words."""
    part = html.split(f'<section id="{name}">')[1].split("</section>")[0]
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", part)
    return [
        [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line)]
        for line in lines
    ]


def test_figures_are_in_the_tables(page) -> None:
    html = page(20)
    models = rows_of(html, "models")
    assert models[1] == ["cnn chosen", "0.908", "0.899 to 0.917", "0.914", "0.18%", "21,300"]
    assert [row[0] for row in models[2:4]] == ["random_forest", "gradient_boosting"]
    assert ["FTP", "345", "345", "100%"] in rows_of(html, "audit")
    assert ["src_mac", "macs", "0.993", "0.067", "shortcut", "masked"] in rows_of(html, "audit")
    assert ["train", "3,570", "2,851"] in rows_of(html, "split")
    assert ["all 20 classes", "3,570", "800", "3,926"] in rows_of(html, "data")
    assert ["not IP (ARP)", "151"] in rows_of(html, "data")
    assert ["random_forest", "0.918", "0.028", "0.877", "0.956"] in rows_of(html, "draws")
    gained = "+2.1 [+0.4, +3.8]"
    assert rows_of(html, "synthetic")[:4] == [
        ["rows from", "1:1", "4:1", "score at 4:1", "worst draw", "a row is worth"],
        ["smote", gained, gained, "0.892", "0.850", "0.25"],
        ["llm", gained, gained, "0.892", "0.850", "-"],
        ["more real rows", gained, gained, "0.892", "0.850", "1"],
    ]
    worst = rows_of(html, "classes")[1:]
    assert [float(row[3]) for row in worst] == sorted(float(row[3]) for row in worst)


def test_absent_families_have_a_table_of_their_own(page, lean: d.ReportData) -> None:
    assert "absent" not in page(20) and "no draw holds" not in page(20)
    spread = {"mean": 0.4, "std": 0.1, "min": 0.25, "max": 0.5}
    models = [
        d.FewLabelDraws(model="knn", mean=0.9, std=0.0, min=0.9, max=0.9, absent=d.Draws(**spread)),
        d.FewLabelDraws(
            model="cnn", mean=0.8, std=0.0, min=0.8, max=0.8,
            absent=d.Draws(**{**spread, "mean": 0.45}),
        ),
    ]  # fmt: skip
    study = d.FewLabelStudy(
        per_class=10, draws=20, absent="category <b>r2l</b>", absent_rows=1_248, models=models
    )
    html = render_page(lean.model_copy(update={"few_labels": study}))
    rows = rows_of(html, "draws")
    assert rows.index(["cnn", "0.450", "0.100", "0.250", "0.500"]) < rows.index(
        ["knn", "0.400", "0.100", "0.250", "0.500"]
    ), "the best first"
    words = Page(html).words
    assert "No labelled row is of category <b>r2l</b>; 1,248 of the test rows are." in words
    assert "<b>r2l" not in html


def test_columns_that_nothing_was_measured_for_are_left_out(lean: d.ReportData) -> None:
    def heads(**unmeasured: None) -> list[str]:
        models = [model.model_copy(update=unmeasured) for model in lean.models]
        return rows_of(render_page(lean.model_copy(update={"models": models})), "models")[0]

    known = ["model", "macro-F1", "95 % interval", "accuracy"]
    assert heads() == [*known, "false positives", "rows/s"]
    assert heads(false_positive_rate=None) == [*known, "rows/s"]
    assert heads(false_positive_rate=None, rows_per_second=None) == known


def test_one_model_without_a_figure_has_a_dash(lean: d.ReportData) -> None:
    models = [lean.models[0].model_copy(update={"rows_per_second": None}), *lean.models[1:]]
    rows = rows_of(render_page(lean.model_copy(update={"models": models})), "models")
    assert rows[-1][0] == "majority" and rows[-1][-1] == "&ndash;"


def test_one_is_singular(make) -> None:
    values = make(3).model_dump()
    values["data"]["health"] |= {"captures": 1, "packets": 1, "truncated": 1, "corrupt": 2}
    values["split"]["sides"]["test"]["groups"] = 1
    values["split"]["groups_on_two_sides"] = 1
    words = " ".join(Page(render_page(d.ReportData.model_validate(values))).words.split())
    for said in (
        "1 capture, 1 packet,",
        "; 1 packet truncated,",
        "2 records corrupt.",
        "and 1 more corrupt record",
        "1 group on two sides",
        "1 flow group",
    ):
        assert said in words
    assert not re.search(r"\b1 (captures|packets|records|flow groups|groups)\b", words)


def test_words_are_in_the_page(page) -> None:
    words = " ".join(Page(page(20)).words.split())
    for said in (
        "BitTorrent taken for Cridex: 42 of 192 (22%)",
        "Malware/Htbot.pcap at byte 182,044: record says 70,221 bytes",
        "and 3 more corrupt records",
        "manifest SHA-256 3f2a9c417be05d668812f3a1c09bb7d2e4a6f5081c2d3e4f5a6b7c8d9e0f1a2b",
        "no group on two sides",
        "~ train_cnn.epochs: 40 -> 20",
        "reject by person: Too long for this laptop: half the epochs.",
        "Answer: Because a choice made on it would make its score too good.",
        "waiting",
        "netloop report 20260805-141503-9f2c",
        "source: $NETLOOP_DATA/ustc_tfc2016/sessions",
        "epoch 14, whose weights were kept",
        "drawn anew 20 times",
        "Compared before any row was made: 20 draws of 40 real rows, judged by 2,519 rows",
        "Use smote, 4 rows to each real one: +2.1 points [+0.4, +3.8].",
        "llm: 2,620 rows: 4 copies. 29 rows cannot be used: a copy 29.",
        "11,230 rows made by smote stand beside 2,851 real ones on the train side; 174 others",
        "The budget ended before all were written.",
        "The quality gate: 11,230 rows: 12 copies of real rows.",
    ):
        assert said in words


def test_words_about_fairness_fit_the_way_of_testing(lean: d.ReportData, page) -> None:
    few = Page(page(3)).words
    assert "interval over the draws" in few
    assert "validation side" not in few
    one_split = Page(render_page(lean)).words
    assert "interval over resampled split groups" in one_split
    assert "made without the test side" in one_split


def test_target_is_drawn_only_on_its_own_axis(lean: d.ReportData) -> None:
    def ladder(metric: str) -> str:
        html = render_page(lean.model_copy(update={"metric": metric}))
        return base64.b64decode(re.search('<img src="[^,]*,([^"]*)"', html).group(1)).decode()

    assert ">target<" in ladder("macro_f1")
    assert ">target<" not in ladder("accuracy")


def test_an_open_shortcut_stands_out(lean: d.ReportData) -> None:
    values = lean.model_dump()
    values["audit"]["rows"][0]["masked"] = False
    html = render_page(d.ReportData.model_validate(values))
    assert 'class="headline bad"' in html
    assert '<tr class="marked"><td>src_mac</td>' in html


def test_no_duplicate_payloads_is_said(lean: d.ReportData) -> None:
    values = lean.model_dump()
    values["audit"]["duplicates"] = [{"name": "FTP", "rows": 10, "repeated": 0}]
    assert "No payload of a test row also occurs" in render_page(
        d.ReportData.model_validate(values)
    )


def test_a_perfect_matrix_mistakes_nothing(make) -> None:
    values = make(2).model_dump()
    values["confusion"] = {"classes": ["a", "b"], "counts": [[5, 0], [0, 0]]}
    html = render_page(d.ReportData.model_validate(values))
    assert "no row was mistaken" in html
    assert "Most often mistaken" not in html


def test_pictures_have_words_for_those_who_do_not_see_them(page) -> None:
    texts = [value for _, name, value in Page(page(20)).attributes if name == "alt"]
    assert len(texts) == 6
    assert all(len(each) > 40 for each in texts)
    assert "cnn 0.908; random_forest 0.886" in texts[0]


def test_readable_on_phones_in_the_dark_and_on_paper(page) -> None:
    html = page(2)
    for part in ("width=device-width", "prefers-color-scheme: dark", "@media print", "max-width"):
        assert part in html


def test_an_unwritable_place_leaves_the_old_report(
    tmp_path: Path, make: Callable[..., Any]
) -> None:
    with pytest.raises(OSError):
        write_report(tmp_path / "missing" / "report.html", BARE)
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(path, BARE)
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_cells() -> None:
    assert text(None) == "&ndash;"
    assert text(12_480) == "12,480"
    assert text(0.90849) == "0.908"
    assert text("<b>") == "&lt;b&gt;"
    assert text(Markup("<b>")) == "<b>"
    assert text("x" * 400, 300).endswith("x…")
    assert element("p", "a", 1, kind="k") == '<p class="k">a1</p>'
    assert preformatted("a\n<b>\x1b") == "<pre>a\n&lt;b&gt;\\x1b</pre>"


def test_numbers_stand_right() -> None:
    html = table(["a", "b", "c"], [["x", 1, Figure("7%")], ["y", None, Figure("8%")]])
    assert html.count('<td class="number">') == 4
    assert html.count('scope="col" class="number"') == 2


def test_the_audit_has_one_verdict_one_table_and_one_picture(page) -> None:
    html = page(20)
    section = html[html.index('<section id="audit">') :]
    section = section[: section.index("</section>")]
    assert section.count("<picture>") == 1
    assert "The audit calls this" in section and "doubtful" in section
    assert "181 test rows nearly repeat" in section and "0 test rows are copied." in section
    rows = rows_of(html, "audit")
    assert ["macs", "src_mac", "0.993", "0.871", "shortcut", "masked", "0, not seen"] in rows
    fall = "0.311 (0.301 to 0.321)"
    named = "packet_length[0]"
    assert ["sizes", named, "0.443", "0.702", "strong", "seen by models", fall] in rows
    assert "not one probability moved" in section


def test_a_model_that_moves_in_a_forged_network_is_told(lean: d.ReportData) -> None:
    values = lean.model_dump()
    values["audit"]["forged"] = {
        "model": "cnn", "macro_f1": 0.2, "fall": 0.7, "moved": 90, "rows": 100,
    }  # fmt: skip
    html = render_page(d.ReportData(**values))
    assert "100 test rows again: macro-F1 0.200, a fall of 0.700." in html


def test_the_first_line_is_what_was_overridden(lean: d.ReportData) -> None:
    values = lean.model_dump()
    values["override"] = "This number was accepted although the audit found a leak: <b>ttl</b>."
    html = render_page(d.ReportData(**values))
    line = html[html.index('class="line"') :]
    assert line[line.index(">") + 1 :].startswith("This number was accepted although")
    assert "&lt;b&gt;ttl" in html and "<b>ttl" not in html


def test_whole_captures_are_told_where_they_were_held_out(lean: d.ReportData, page) -> None:
    assert "Whole captures" not in Page(page(3)).words
    score = {"captures": 4, "right": 0.75, "ci": (0.25, 1.0), "verdicts": {"a.pcap": "x"}}
    whole = {"cnn": {"captures": CaptureScore.model_validate(score)}}
    models = [model.model_copy(update=whole.get(model.name, {})) for model in lean.models]
    words = Page(render_page(lean.model_copy(update={"models": models}))).words
    assert "cnn 3 of 4 (0.750, 95 % interval 0.250 to 1.000)." in words


def test_features_are_told_with_their_gains_and_why_some_were_not_tried(page) -> None:
    html = page(3)
    heads, kept, copy = rows_of(html, "features")
    assert heads == ["feature", "verdict", "gain", "interval"]
    assert kept[1:] == ["kept", "+0.0200", "+0.0110 to +0.0290"]
    assert copy[:2] == ["abs(src2dst_bytes)", "copy"]
    words = Page(html).words
    assert "abs(src2dst_bytes): It equals src2dst_bytes." in words
    assert "Validation gains by it." not in words, "its verdict says so"
    assert "0.901 without and 0.921 with those that were kept" in words


def test_rows_that_are_made_are_told_without_a_study(lean: d.ReportData) -> None:
    html = render_page(lean)
    words = Page(html).words
    assert "rows made by smote" in words and "Compared before" not in words
    assert '<section id="synthetic">' not in render_page(lean.model_copy(update={"made": None}))


def test_a_choice_within_the_labelled_rows_has_no_worth(make) -> None:
    found = make(3).explored
    own = {
        name: model.model_copy(update={"outcomes": model.outcomes[:4]})
        for name, model in found.models.items()
    }
    within = found.model_copy(update={"within": True, "models": own})
    html = render_page(BARE.model_copy(update={"explored": within}))
    assert rows_of(html, "synthetic")[0][-1] == "worst draw"
    assert "cross-validation within 40 rows" in Page(html).words


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_names_of_arms_and_models_stay_words(make, words: str) -> None:
    found = make(3).explored
    arms, models = {words: found.arms["llm"]}, {words: found.models["random_forest"]}
    explored = found.model_copy(update={"arms": arms, "models": models})
    check_inert(render_page(BARE.model_copy(update={"explored": explored})))
