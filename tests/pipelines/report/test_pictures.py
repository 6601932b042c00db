"""Pictures are valid SVG, the same every time, and say what they should."""

import base64
import xml.etree.ElementTree as ET

import pytest

from pipelines.report import data as d
from pipelines.report import pictures
from pipelines.report.pictures import DARK, LIGHT, Draw, data_uri

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "$\\frac{1}{0}$ <script>alert(1)</script> \x1b[2J\x00\u202e & 日本語 %s {x}"


def draws(report: d.ReportData) -> list[Draw]:
    assert report.confusion and report.curves and report.few_labels and report.audit
    return [
        pictures.ladder(report.models, report.chosen, report.target),
        pictures.confusion(report.confusion),
        pictures.learning(report.curves),
        pictures.strips(report.few_labels),
        pictures.field_groups(report.audit.groups, 0.914),
    ]


def svg(draw: Draw) -> ET.Element:
    prefix, content = data_uri(draw, LIGHT).split(",")
    assert prefix == "data:image/svg+xml;base64"
    return ET.fromstring(base64.b64decode(content))


def words(draw: Draw) -> list[str]:
    return ["".join(element.itertext()) for element in svg(draw).iter(f"{SVG}text")]


@pytest.mark.parametrize("classes", [2, 20, 40])
def test_all_pictures_are_drawn_in_both_themes(make, classes: int) -> None:
    for draw in draws(make(classes)):
        assert svg(draw).tag == f"{SVG}svg"
        assert data_uri(draw, LIGHT) != data_uri(draw, DARK)


def test_same_values_same_bytes(make) -> None:
    first, second = draws(make(5)), draws(make(5))
    assert [data_uri(f, LIGHT) for f in first] == [data_uri(s, LIGHT) for s in second]


def test_no_clock_and_no_maker_in_the_file(make) -> None:
    for draw in draws(make(3)):
        content = base64.b64decode(data_uri(draw, LIGHT).split(",")[1]).decode().lower()
        assert "matplotlib v" not in content
        assert "<dc:date>" not in content


def test_the_ladder_names_every_model_and_score(make) -> None:
    shown = words(pictures.ladder(make(2).models, "cnn", 0.9))
    for word in ("majority", "random_forest", "cnn", "0.908", "0.886", "target"):
        assert word in shown
    assert "target" not in words(pictures.ladder(make(2).models, None, None))


def test_small_confusions_have_figures_large_ones_only_shades(make) -> None:
    small, large = words(draws(make(20))[1]), words(draws(make(40))[1])
    assert "78" in small
    assert not [word for word in large if word.isdigit()]
    assert large.count("Zeus-2") == 2, "once on each axis"


def test_shares_are_of_the_true_class() -> None:
    matrix = d.Confusion(classes=["a", "b"], counts=[[3, 1], [0, 0]])
    assert [word for word in words(pictures.confusion(matrix)) if word.isdigit()] == ["75", "25"]


@pytest.mark.parametrize("scores", [[], [None, None], [0.5, None], [None, 0.5], [0.5]], ids=str)
def test_curves_with_gaps(scores: list[float | None]) -> None:
    curves = d.LearningCurves(model="cnn", train_loss=[2.0, 1.0], validation_macro_f1=scores)
    measured = any(score is not None for score in scores)
    assert ("validation macro-F1" in words(pictures.learning(curves))) is measured


def test_one_epoch_and_one_model(make) -> None:
    assert svg(pictures.learning(d.LearningCurves(model="cnn", train_loss=[1.0]))) is not None
    assert svg(pictures.ladder(make(2).models[:1], None, None)) is not None


def test_draws_without_single_scores() -> None:
    model = d.FewLabelDraws(model="knn", mean=0.8, std=0.1, min=0.6, max=0.9)
    study = d.FewLabelStudy(per_class=10, draws=20, models=[model])
    assert "knn" in words(pictures.strips(study))


def test_hostile_names_are_plain_words_in_the_picture(make) -> None:
    model = make(2).models[0].model_copy(update={"name": HOSTILE})
    matrix = d.Confusion(classes=[HOSTILE, "\ud800 日本"], counts=[[1, 1], [1, 1]])
    for draw in (pictures.ladder([model], HOSTILE, None), pictures.confusion(matrix)):
        root = svg(draw)
        assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("script", "image", "a")]
        shown = words(draw)
        assert "$\\frac{1}{0}$ <scri…" in shown
    assert "\\ud800 日本" in shown


def test_settings_do_not_leak(make) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    data_uri(draws(make(2))[0], LIGHT)
    assert dict(matplotlib.rcParams) == before


def test_field_groups_are_named_with_their_masks_and_the_lines_explained(make) -> None:
    audit = make(20).audit
    assert audit is not None
    shown = words(pictures.field_groups(audit.groups, 0.9))
    assert {"macs (masked)", "sizes", "gaps"} <= set(shown)
    assert {"best field alone", "small tree", "majority class", "chosen model"} <= set(shown)
    assert "chosen model" not in words(pictures.field_groups(audit.groups, None))


def test_the_strongest_group_is_on_top() -> None:
    groups = [
        d.AuditGroup(
            group=name, masked=False, tree_accuracy=level, majority=0.1, verdict="none"
        )
        for name, level in (("low", 0.2), ("high", 0.9), ("middle", 0.5))
    ]  # fmt: skip
    named = [
        word for word in words(pictures.field_groups(groups, None)) if word in "low middle high"
    ]
    assert named == ["low", "middle", "high"], "from the bottom up"


def test_a_picture_is_saved_as_a_png_with_the_same_bytes(make, tmp_path) -> None:
    groups = make(20).audit.groups
    for name in ("one.png", "two.png"):
        pictures.save_picture(pictures.field_groups(groups, None), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content.startswith(b"\x89PNG") and content == (tmp_path / "two.png").read_bytes()
