"""The package: whole, the same every time, and refused as soon as anything in it differs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.capture import FlowSettings, read_flows
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.operate.detector import Detector, DetectorInfo, package
from pipelines.store.files import canonical_json, hash_folder, hash_text


def rewrite(folder: Path, *, sign: bool = True, **changes) -> None:
    """Change the description; ``sign`` makes its own hash right again, as a forger would."""
    path = folder / "detector.json"
    content = json.loads(path.read_text()) | changes
    if sign:
        content.pop("digest")
        content["digest"] = hash_text(canonical_json(content))
    path.write_text(json.dumps(content))


def test_what_was_packed_is_what_is_loaded(detector, forest, info, lab):
    described = detector.manifest.model_dump()
    assert info.model_dump().items() <= described.items()
    assert described["model"] == "random_forest"
    assert described["classes"] == forest.classes
    rows = next(read_flows(next(lab.glob("*/*.pcap"))))
    assert np.array_equal(detector.classifier.predict_proba(rows), forest.predict_proba(rows))


def test_package_returns_what_load_reads(tmp_path, plain, info):
    manifest = package(tmp_path / "detector", plain, info)
    assert Detector.load(tmp_path / "detector").manifest == manifest


def test_the_same_model_gives_the_same_bytes(folder, tmp_path, plain, info):
    package(tmp_path / "again", plain, info)
    assert hash_folder(tmp_path / "again") == hash_folder(folder)


def test_every_file_is_listed_with_its_hash(folder):
    files = json.loads((folder / "detector.json").read_text())["files"]
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(files) == found - {"detector.json"}
    assert "model/card.json" in files
    assert all(len(digest) == 64 for digest in files.values())


def test_flow_settings_travel_with_the_detector(tmp_path, plain, info):
    settings = FlowSettings(idle_seconds=15, first_packets=16)
    package(tmp_path / "detector", plain, info.model_copy(update={"settings": settings}))
    assert Detector.load(tmp_path / "detector").manifest.settings == settings


def test_a_copy_elsewhere_works(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    Detector.load(tmp_path / "copy")


@pytest.mark.parametrize("name", ["card.json", "encoder.json", "estimator.skops"])
def test_a_changed_file_is_named(folder, name):
    path = folder / "model" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"model/{name} was changed"):
        Detector.load(folder)


def test_a_missing_file_is_named(folder):
    (folder / "model" / "encoder.json").unlink()
    with pytest.raises(InputError, match=r"model/encoder\.json is missing"):
        Detector.load(folder)


def test_a_file_too_many_is_named(folder):
    (folder / "model" / "extra.bin").write_bytes(b"x")
    with pytest.raises(InputError, match=r"model/extra\.bin does not belong to it"):
        Detector.load(folder)


def test_a_link_is_not_followed(folder, tmp_path):
    path = folder / "model" / "encoder.json"
    shutil.copy(path, tmp_path / "elsewhere.json")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(InputError, match=r"model/encoder\.json was changed"):
        Detector.load(folder)


@pytest.mark.parametrize(
    "changes",
    [{"masks": []}, {"thresholds": {"scan": 0.99}}, {"goal": "another"}, {"benign": ["scan"]}],
)
def test_an_edited_description_is_refused(folder, changes):
    rewrite(folder, sign=False, **changes)
    with pytest.raises(InputError, match=r"its detector\.json was changed"):
        Detector.load(folder)


def test_a_newer_format_asks_for_an_upgrade(folder):
    rewrite(folder, schema_version=2)
    with pytest.raises(InputError, match=r"packed by a newer netloop \(format 2\)") as caught:
        Detector.load(folder)
    assert caught.value.mend == "Upgrade netloop: this one reads format 1."


@pytest.mark.parametrize("version", [0, -1, "1", None, [], True])
def test_any_other_format_is_refused(folder, version):
    rewrite(folder, sign=False, schema_version=version)
    with pytest.raises(InputError, match="no detector that can be trusted"):
        Detector.load(folder)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "7", '{"schema_version": 1}', "\x00\xff", '{"a": NaN}']
)
def test_garbage_is_refused(folder, content):
    (folder / "detector.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match="no detector that can be trusted"):
        Detector.load(folder)


def test_a_description_with_an_unknown_field_is_refused(folder):
    rewrite(folder, surprise=1)
    with pytest.raises(InputError, match="is no description of a detector"):
        Detector.load(folder)


def test_a_path_that_leaves_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("x")
    files = json.loads((folder / "detector.json").read_text())["files"]
    rewrite(folder, files=files | {"../secret": "0" * 64})
    with pytest.raises(InputError, match=r"\.\./secret is missing"):
        Detector.load(folder)


def test_a_model_with_other_classes_is_refused(folder):
    rewrite(folder, classes=["a", "b"], benign=[])
    with pytest.raises(InputError, match="its model is not the one that it describes"):
        Detector.load(folder)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_a_description(tmp_path, there):
    path = tmp_path / "nothing"
    if there:
        path.mkdir()
    with pytest.raises(InputError, match=r"it has no detector\.json"):
        Detector.load(path)


def test_a_file_is_no_package(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="no detector that can be trusted"):
        Detector.load(tmp_path / "file")


@pytest.mark.parametrize("change", [{"benign": ["wbe"]}, {"thresholds": {"wbe": 0.5}}])
def test_classes_that_the_model_does_not_know(tmp_path, plain, info, change):
    with pytest.raises(InputError, match="no class 'wbe'") as caught:
        package(tmp_path / "detector", plain, info.model_copy(update=change))
    assert "dns_tunnel" in caught.value.mend
    assert not (tmp_path / "detector").exists()


def test_a_folder_in_use_is_left_alone(tmp_path, plain, info):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(InputError, match="is not empty"):
        package(tmp_path, plain, info)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_may_be_used(tmp_path, plain, info):
    package(tmp_path, plain, info)
    Detector.load(tmp_path)


def test_info_refuses_unknown_fields():
    with pytest.raises(ValueError, match="grnularity"):
        DetectorInfo(name="x", goal="", granularity="flow", masks=DEFAULT_MASKS, grnularity="flow")
