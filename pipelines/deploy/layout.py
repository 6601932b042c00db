"""Layouts tried out: a hub and one process a site, which talk over loopback."""

import secrets
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pipelines.deploy.crew import open_crew, run_together
from pipelines.deploy.hub import lead
from pipelines.deploy.job import HUB, LAYOUTS, HubReport, Job, Layout, SiteReport
from pipelines.deploy.site import take_part
from pipelines.deploy.wire import SILENCE_SECONDS, TOKEN_BYTES, accept_sites, join_hub
from pipelines.models.registry import model_class
from pipelines.progress import Progress


def run_layouts(
    job: Job, rows: Path, progress: Progress
) -> dict[Layout, tuple[HubReport, list[SiteReport]]]:
    """Try all layouts out, one after the other, with the same processes.

    ``rows`` holds a folder a site, named by its number, with its train and test rows, and one of
    the hub; in each may be one of synthetic rows.

    Raises InputError for rows that cannot be learned from, NetloopError that names the process if
    one dies. Whatever happens, no process is left.
    """
    # Handed over in the tasks of the processes, which other users of the machine cannot read.
    token = secrets.token_bytes(TOKEN_BYTES)
    reports: dict[Layout, tuple[HubReport, list[SiteReport]]] = {}
    with open_crew(["The hub", *(f"The site {name!r}" for name in job.sites)]) as crew:
        for done, layout in enumerate(LAYOUTS):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                lead_all = partial(run_hub, layout, job, token, listener, rows / HUB)
                join = partial(run_site, layout, job, token, listener.getsockname())
                take_parts = [partial(join, n, rows / str(n)) for n in range(len(job.sites))]
                watch = partial(progress, "trying layouts", done, len(LAYOUTS), "layouts")
                hub, *sites = run_together(crew, [lead_all, *take_parts], watch)
            reports[layout] = hub, sites
    progress("trying layouts", len(LAYOUTS), len(LAYOUTS), "layouts")
    return reports


def run_hub(
    layout: Layout, job: Job, token: bytes, listener: socket.socket, folder: Path
) -> HubReport:
    """The hub's part of a layout, in its process."""
    model_class(job.model)  # imported now: no clock is to count it
    with listener, ExitStack() as connections:
        channels = accept_sites(listener, token, job.sites, job.link, SILENCE_SECONDS)
        for channel in channels:
            connections.enter_context(channel.connection)
        return lead(layout, job, channels, folder)


def run_site(
    layout: Layout, job: Job, token: bytes, hub: tuple[str, int], number: int, rows: Path
) -> SiteReport:
    """A site's part of a layout, in its process; it connects anew, so that bytes are of one."""
    model_class(job.model)
    patience = SILENCE_SECONDS * (len(job.sites) + 1)  # a site waits while others have their turns
    channel = join_hub(hub, token, number, job.link, patience)
    with channel.connection:
        return take_part(layout, rows, job, channel)
