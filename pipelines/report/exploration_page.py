"""The page of one or several studies of synthetic rows."""

from collections.abc import Sequence

from pydantic import BaseModel

from pipelines.augment.findings import Exploration
from pipelines.report import synthetic
from pipelines.report.html import Markup, element, join, section
from pipelines.report.page import document


class StudyOnPage(BaseModel):
    """A study as a page shows it. ``asked``: requests to a language model, and their tokens."""

    run: str
    goal: str
    source: str
    found: Exploration
    asked: int = 0
    tokens: int = 0


def render_studies(studies: Sequence[StudyOnPage]) -> str:
    """The page as HTML; the same studies give the same text."""
    title = studies[0].goal if len(studies) == 1 else f"{len(studies)} studies of synthetic rows"
    header = join([element("p", "netloop: do synthetic rows help?"), element("h1", title)])
    parts = [_study(place, study) for place, study in enumerate(studies)]
    return document(f"{title} · netloop", header, *parts)


def _study(place: int, study: StudyOnPage) -> Markup:
    cost = f"A language model was asked {study.asked:,} times: {study.tokens:,} tokens."
    return section(
        f"study-{place}",
        study.goal,
        element("p", f"{study.source}, run {study.run}: {study.found.how}."),
        synthetic.study(study.found),
        element("p", cost) if study.asked else Markup(),
    )
