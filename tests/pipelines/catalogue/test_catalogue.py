"""The catalogue says what it knows, and names only loaders and commands that exist."""

import json
import re

import pytest
from typer.testing import CliRunner

from agents.terminal.app import app
from pipelines.catalogue.catalogue import catalogue, find_set
from pipelines.datasets.loaders.registry import LOADERS
from pipelines.errors import InputError

ASKED_FOR = (
    *("NSL-KDD", "KDD-99", "UNSW-NB15", "CIC-IDS2017", "CSE-CIC-IDS2018", "CICDDoS2019"),
    *("CSIC-2010", "IoT-23", "CTU-13", "USTC-TFC2016", "ISCX-VPN-2016", "ISCX-Tor-2016"),
    *("CSTNET-TLS1.3", "DoHBrw-2020", "DAPT-2020", "Bot-IoT", "ToN-IoT", "IoT Sentinel", "MAWI"),
    *("UGR16", "LITNET-2020", "5G-NIDD", "X-IIoTID", "Edge-IIoTset", "APP-53", "CW-100"),
)


def test_the_sets_that_people_use_are_there() -> None:
    assert set(ASKED_FOR) <= set(catalogue()) and len(catalogue()) >= 25


def test_every_entry_is_whole() -> None:
    layouts = {loader.name for loader in LOADERS} | {"captures", "captures with labels of flows"}
    for entry in catalogue().values():
        assert entry.what.endswith(".") and entry.licence and entry.task
        assert entry.where == "unknown" or entry.where.startswith("https://")
        assert entry.command.startswith("netloop data inspect ")
        if entry.loader:
            assert set(entry.loader.split(", ")) <= layouts, entry.name


def test_names_are_found_however_they_are_written() -> None:
    assert find_set("cicids 2017").name == "CIC-IDS2017"
    with pytest.raises(InputError, match="did you mean NSL-KDD") as caught:
        find_set("NSL KDDs")
    assert caught.value.exit_code == 2


def test_the_command_lists_and_shows() -> None:
    run = CliRunner().invoke
    listed = run(app, ["data", "catalogue", "--json"])
    assert len(json.loads(listed.stdout)) == len(catalogue())
    one = json.loads(run(app, ["data", "catalogue", "kdd99", "--json"]).stdout)
    assert one["name"] == "KDD-99" and "494,021" in one["count"]
    shown = run(app, ["data", "catalogue", "CSIC-2010"]).stdout
    assert "licence: none stated" in shown and "netloop data inspect csic2010/" in shown
    assert re.search(r"^NSL-KDD\s", run(app, ["data", "catalogue"]).stdout, re.M)
