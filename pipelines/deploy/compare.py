"""The comparison: the same rows, model and links under every layout."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.datasets.fields import DEFAULT_MASKS, feature_columns
from pipelines.datasets.keys import Codes, numbers
from pipelines.deploy.job import HUB, LAYOUTS, TEST, TRAIN, HubReport, Job, Layout, SiteReport
from pipelines.deploy.layout import run_layouts
from pipelines.deploy.link import Link
from pipelines.deploy.made import Augmentation, Made
from pipelines.deploy.sites import hold_out
from pipelines.deploy.study import (
    Asked,
    DeploymentStudy,
    LayoutResult,
    SiteResult,
    latency_of,
    score_verdicts,
)
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.models.registry import model_class
from pipelines.progress import Progress, silent
from pipelines.store.rows import write_rows

MOST_SITES = 32  # each is a process
MOST_BATCH = 4096
DEFAULT_LINK = Link()


def compare(
    rows: pa.Table,
    *,
    sites: Mapping[str, Codes],
    test: float = 0.3,
    model: str = "random_forest",
    masks: Sequence[str] = DEFAULT_MASKS,
    seed: int = 0,
    link: Link = DEFAULT_LINK,
    batch: int = 32,
    augment: Augmentation | None = None,
    progress: Progress = silent,
) -> DeploymentStudy:
    """Try the layouts out with a process a site and a hub, over loopback with shaped links.

    ``sites``: the row numbers of each site by its name, as ``shard_sites`` gives them. ``test`` is
    the share of each class's flows that a site holds out; ``batch`` how many rows are judged at
    once. Only the columns that ``masks`` let a model see, and the labels of training rows, are ever
    sent. With ``augment`` whoever trains learns from synthetic rows too, made of its own training
    rows; those of a site are the same in all layouts, and made once. Test rows are real.

    Raises InputError for what cannot be compared, what the arm and its author refuse, NetloopError
    that names the process if one dies.
    """
    model_class(model)
    _check(rows, sites, test, batch)
    held = hold_out(rows, list(sites.values()), test, seed)
    places = [_Site.of(name, of_site, held, rows) for name, of_site in sites.items()]
    to_train = np.concatenate([site.train for site in places])
    trained = Counter(labels_of(rows.select(["label"]).take(to_train)))
    if len(trained) < 2 or not any(len(site.test) for site in places):
        raise InputError(
            "The sites together have too little to learn from and to test on.",
            "Give rows of two classes or more, with two flows or more of a class at some site.",
        )
    job = Job(model, list(masks), seed, link, batch, list(sites))
    seen = rows.select(["label", *feature_columns(rows.schema, masks)])
    with tempfile.TemporaryDirectory(prefix="netloop-sites-") as scratch:
        folders = [Path(scratch) / HUB, *(Path(scratch) / str(n) for n in range(len(places)))]
        for site, folder in zip(places, folders[1:], strict=True):
            site.write(folder, seen)
        of_trainers = [to_train, *(site.train for site in places)]
        made = [
            # a seed of its own: nobody is given what another has asked for
            augment.make(rows.take(own), folder, masks, seed + place, progress)
            if augment
            else Made()
            for place, (own, folder) in enumerate(zip(of_trainers, folders, strict=True))
        ]
        reports = run_layouts(job, Path(scratch), progress)
    results = [_result(layout, job, places, *reports[layout], trained, made) for layout in LAYOUTS]
    classes = sorted({*trained, *(label for site in places for label in site.truth)})
    return DeploymentStudy(
        model=model,
        seed=seed,
        link=link,
        batch=batch,
        classes=classes,
        layouts=results,
        arm=augment.arm if augment else None,
        amount=augment.amount if augment else 0.0,
    )


@dataclass(frozen=True)
class _Site:
    """A site: its rows for training and for test, and of the latter the labels and flows."""

    name: str
    train: Codes
    test: Codes
    truth: list[str]
    flows: Codes

    @classmethod
    def of(cls, name: str, of_site: Codes, held: np.ndarray, rows: pa.Table) -> "_Site":
        train, test = of_site[~held[of_site]], of_site[held[of_site]]
        of_test = rows.select(["label", "flow"]).take(test)
        return cls(name, train, test, labels_of(of_test), numbers(of_test, "flow"))

    def write(self, folder: Path, rows: pa.Table) -> None:
        """Write both parts where the site's process reads them."""
        for part, of_part in ((TRAIN, self.train), (TEST, self.test)):
            (folder / part).mkdir(parents=True)
            write_rows(folder / part, rows.take(of_part))


def _result(
    layout: Layout,
    job: Job,
    places: Sequence[_Site],
    hub: HubReport,
    reports: Sequence[SiteReport],
    trained: Counter[str],
    made: Sequence[Made],
) -> LayoutResult:
    """One layout as its hub and sites report it. ``made``: for the hub and for each site."""
    of_hub, of_sites = made[:1], [Made()] * len(places)
    if layout != "centralised":
        of_hub, of_sites = [], [*made[1:]]
    trainings = hub.trained + sum(report.trained for report in reports)
    verdicts = [
        verdict
        for site, report in zip(places, reports, strict=True)
        for verdict in report.verdicts or _missed(site.truth, trained)
    ]
    return LayoutResult(
        layout=layout,
        sites=[
            SiteResult(
                site=site.name,
                train_rows=len(site.train),
                test_rows=len(site.test),
                score=score_verdicts(site.truth, report.verdicts, site.flows, job.seed)
                if report.verdicts
                else None,
                latency=latency_of(report.latency_ms),
                bytes_train=report.bytes_train,
                bytes_judge=report.bytes_judge,
                made_rows=own.rows,
                asked=own.asked,
            )
            for site, report, own in zip(places, reports, of_sites, strict=True)
        ],
        score=score_verdicts(
            [label for site in places for label in site.truth],
            verdicts,
            np.concatenate([site.flows for site in places]),
            job.seed,
        ),
        training_minutes=(max(report.seconds for report in reports) + hub.seconds) / 60,
        latency=latency_of([value for report in reports for value in report.latency_ms]),
        trainings=trainings,
        bytes_train=sum(report.bytes_train for report in reports),
        bytes_judge=sum(report.bytes_judge for report in reports),
        bytes_hub=hub.bytes_sent,
        made_rows=sum(own.rows for own in [*of_hub, *of_sites]),
        asked=sum((own.asked for own in [*of_hub, *of_sites]), Asked()),
    )


def _missed(truth: Sequence[str], trained: Counter[str]) -> list[str]:
    """A wrong verdict for every row: the class that is most frequent among the others."""
    first, second = (name for name, _ in trained.most_common(2))
    return [first if label != first else second for label in truth]


def _check(rows: pa.Table, sites: Mapping[str, Codes], test: float, batch: int) -> None:
    if not 2 <= len(sites) <= MOST_SITES:
        raise InputError(
            f"{len(sites)} sites cannot be compared.",
            f"Give 2 to {MOST_SITES}: every site is a process of this machine.",
        )
    given = np.concatenate(list(sites.values()))
    if len(np.unique(given)) < len(given):
        raise InputError("A row is at two sites.", "Give every row to one site at most.")
    if len(given) and not 0 <= given.min() <= given.max() < rows.num_rows:
        raise InputError(f"A site has a row that is none of the {rows.num_rows:,}.")
    if not 0 < test < 1:
        raise InputError(f"The test share is {test}.", "Give a share above 0 and below 1.")
    if not 1 <= batch <= MOST_BATCH:
        raise InputError(f"A batch of {batch} rows cannot be.", f"Give 1 to {MOST_BATCH:,}.")
