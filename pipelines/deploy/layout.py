"""Layouts tried out: a hub and one process a site, which talk over loopback."""

import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pipelines.deploy.crew import Crew
from pipelines.deploy.job import HubReport, Job, Layout, SiteReport
from pipelines.deploy.wire import TOKEN_BYTES, accept_sites, join_hub
from pipelines.errors import InputError
from pipelines.executors import nothing
from pipelines.store.files import write_atomic

HUB_REPORT, SITE_REPORT = "{}-hub.json", "{}-site-{}.json"


def run_layouts(
    job: Job, rows: Path, work: Path, *, port: int = 0, watch: Callable[[int], object] = nothing
) -> dict[Layout, tuple[HubReport, list[SiteReport]]]:
    """Try layouts out; ``watch`` hears twice a second how many are done.

    ``rows`` holds a folder a site, named by its number, with its train and test rows; ``work`` is
    an empty folder. ``port`` is the hub's on 127.0.0.1, 0 for any that is free.

    Raises InputError for a port that is in use or rows that cannot be learned from, NetloopError
    that names the process if one dies. Whatever happens, no process is left.
    """
    # Handed over in the processes' arguments, which other users of the machine cannot read.
    token = secrets.token_bytes(TOKEN_BYTES)
    asked = job.model_dump_json()
    hubs = {layout: work / HUB_REPORT.format(layout) for layout in job.layouts}
    with open_listener(port) as listener, Crew(work) as crew:
        crew.start("The hub", run_hub, asked, work, token, listener)
        address = address_of(listener)
        for number, name in enumerate(job.sites):
            site = (asked, work, token, address, number, rows / str(number))
            crew.start(f"The site {name!r}", run_site, *site)
        crew.wait(lambda: watch(sum(path.exists() for path in hubs.values())))
    return {
        layout: (
            HubReport.model_validate_json(path.read_bytes()),
            [
                SiteReport.model_validate_json(
                    (work / SITE_REPORT.format(layout, number)).read_bytes()
                )
                for number in range(len(job.sites))
            ],
        )
        for layout, path in hubs.items()
    }


def open_listener(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1. Raises InputError if the port cannot be had."""
    if not 0 <= port < 1 << 16:
        raise InputError(f"There is no port {port}.", "Give one up to 65535, or 0 for any.")
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise InputError(
            f"The hub cannot listen at port {port}: {error}.", "Choose another port, or 0."
        ) from error


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Where sites find the hub."""
    host, port = listener.getsockname()
    return host, port


def run_hub(asked: str, work: Path, token: bytes, listener: socket.socket) -> None:
    """The hub's process."""
    # Imported here: numpy reads how many threads it may have when it is imported.
    from pipelines.deploy.hub import lead

    job = Job.model_validate_json(asked)
    for layout in job.layouts:
        with ExitStack() as connections:
            channels = accept_sites(listener, token, job.sites, job.link, job.timeout_s)
            for channel in channels:
                connections.enter_context(channel.connection)
            report = lead(layout, job, channels)
        write_atomic(work / HUB_REPORT.format(layout), report.model_dump_json())


def run_site(
    asked: str, work: Path, token: bytes, address: tuple[str, int], number: int, rows: Path
) -> None:
    """A site's process. It connects anew for each layout, so that each has its own bytes."""
    from pipelines.deploy.site import take_part

    job = Job.model_validate_json(asked)
    patience = job.timeout_s * (len(job.sites) + 1)  # a site waits while others have their turns
    for layout in job.layouts:
        channel = join_hub(address, token, number, job.link, patience)
        with channel.connection:
            report = take_part(layout, rows, job, channel)
        write_atomic(work / SITE_REPORT.format(layout, number), report.model_dump_json())
