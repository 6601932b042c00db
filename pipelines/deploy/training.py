"""One fit of the model of a job."""

import pyarrow as pa

from pipelines.deploy.job import Job
from pipelines.models.base import Classifier, labels_of
from pipelines.models.registry import new_model
from pipelines.progress import silent


def train(rows: pa.Table, job: Job) -> Classifier:
    """A model fitted on all ``rows``. Raises InputError if they cannot be learned from."""
    model = new_model(job.model)
    model.fit(
        rows,
        labels_of(rows),
        masks=job.masks,
        seed=job.seed,
        validation=None,
        progress=silent,
    )
    return model
