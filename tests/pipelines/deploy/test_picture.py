"""The picture and the table say what the study says, to every reader."""

import xml.etree.ElementTree as ET

import pytest

from pipelines.deploy.picture import picture, table
from pipelines.deploy.study import DeploymentStudy

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def three(study, result) -> DeploymentStudy:
    return study(
        result("centralised", 0.9, 2_000_000, 45.0),
        result("distributed", 0.8, 500, 2.0),
        result("hybrid", 0.7, 30_000, None),
    )


def test_the_picture_is_svg_with_title_and_description(three) -> None:
    root = ET.fromstring(picture(three))
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element for element in root if "id" in element.attrib}
    assert root.attrib["aria-labelledby"].split() == ["title", "description"]
    assert named["title"].text == "Layouts of learning and judging"
    assert "distributed: macro-F1 0.800, 500 B moved" in named["description"].text
    assert "hybrid: macro-F1 0.700, 30.0 kB moved, latency nothing was judged" in (
        named["description"].text
    )


def test_the_picture_names_every_layout_in_every_panel(three) -> None:
    words = ["".join(e.itertext()) for e in ET.fromstring(picture(three)).iter(f"{SVG}text")]
    assert [words.count(name) for name in ("centralised", "distributed", "hybrid")] == [3, 3, 3]
    assert {"0.900 [0.000, 1.000]", "2.0 MB", "45.0 ms", "none"} <= set(words)


def test_same_study_same_picture(three) -> None:
    assert picture(three) == picture(three)


def test_the_table_marks_what_no_other_beats(three) -> None:
    lines = table(three)
    assert [line[0] for line in lines[1:4]] == ["*", "*", " "]
    assert "45.0 (90.0)" in lines[1]
    assert "2.0 MB + 0 B" in lines[1]
    assert "0.800 [0.000, 1.000]" in lines[2]


def test_the_table_lists_every_site(three) -> None:
    assert table(three)[-1].split() == ["north", "0.900", "0.800", "0.700", "7", "(3)"]


def test_a_site_without_a_score_has_none(three) -> None:
    three.layouts[1].sites[0].score = None
    assert table(three)[-1].split()[2] == "none"


def test_the_table_counts_trainings(three) -> None:
    three.layouts[1].trainings = 40
    assert [line.split()[-1] for line in table(three)[:4]] == ["trainings", "1", "40", "1"]


def test_names_of_sites_cannot_write_to_the_terminal(three) -> None:
    three.layouts[0].sites[0].site = "\x1b[2Jnorth"
    assert "\x1b" not in "".join(table(three))
    assert r"\x1b[2Jnorth" in table(three)[-1]
