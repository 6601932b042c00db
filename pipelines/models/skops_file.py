"""scikit-learn models in files: no pickle, equal bytes for equal models, safe to read."""

import importlib
import io
import json
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.models.tree_check import check_trees
from pipelines.store.files import write_atomic


def _import_skops() -> Any:
    """``skops.io`` without torch and dask, which take seconds: to list the types that it trusts,
    skops imports all of scikit-learn, its bridges to other array libraries too. None stands for a
    module that cannot be imported."""
    bridges = [f"sklearn.externals.array_api_compat.{name}" for name in ("cupy", "dask", "torch")]
    hidden = [name for name in bridges if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return importlib.import_module("skops.io")
    finally:
        for name in hidden:
            del sys.modules[name]


skops_io = _import_skops()

# Beside what skops trusts by itself: the nodes of fitted trees, and the look-up of this package.
TRUSTED = (
    "pipelines.models.baselines.lookup.FieldLookup",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)

# Everything that skops, numpy or zipfile raises on a file that is damaged or made to harm.
REFUSALS = (
    skops_io.exceptions.UntrustedTypesFoundException,
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

SCHEMA = "schema.json"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def write_skops(path: Path, estimator: Any) -> None:
    """Write a fitted estimator. Two equal estimators give equal files."""
    write_atomic(path, _canonical(skops_io.dumps(estimator)))


def read_skops(path: Path) -> Any:
    """Read an estimator; nothing in the file is executed.

    Raises InputError if the file is no skops file, holds a type outside the allow-list or trees
    whose nodes point outside themselves.
    """
    try:
        content = path.read_bytes()
        unknown = sorted(set(skops_io.get_untrusted_types(data=content)) - set(TRUSTED))
        if unknown:
            raise skops_io.exceptions.UntrustedTypesFoundException(unknown)
        estimator = skops_io.loads(content, trusted=TRUSTED)
        check_trees(estimator)
    except REFUSALS as error:
        raise InputError(
            f"{path} is not a model that can be read safely: {error}.",
            "Use a model folder that netloop wrote and nobody changed.",
        ) from error
    return estimator


def _canonical(content: bytes) -> bytes:
    """The same skops file without memory addresses, clock readings and padding bytes.

    skops names its parts after ``id(object)``; here they are numbered as they appear.
    """
    numbers: dict[str, str] = {}
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        schema = _renumber(json.loads(old.read(SCHEMA)), numbers)
        for part in old.namelist():
            if part != SCHEMA:
                _add(new, _numbered(part, numbers), _without_padding(old.read(part)))
        _add(new, SCHEMA, json.dumps(schema, separators=(",", ":")).encode())
    return target.getvalue()


def _renumber(node: Any, numbers: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renumber(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    renewed = {key: _renumber(value, numbers) for key, value in node.items()}
    if "__id__" in node:
        renewed["__id__"] = int(numbers.setdefault(str(node["__id__"]), str(len(numbers))))
    if "file" in node:
        renewed["file"] = _numbered(node["file"], numbers)
    return renewed


def _numbered(part: str, numbers: dict[str, str]) -> str:
    address, _, kind = part.partition(".")
    return f"{numbers.setdefault(address, str(len(numbers)))}.{kind}"


def _without_padding(part: bytes) -> bytes:
    """A .npy file whose gaps between the members of a record are zero rather than left-over."""
    array = np.load(io.BytesIO(part), allow_pickle=False)
    if array.dtype.names is None:
        return part
    clean = np.zeros(array.shape, array.dtype)  # zeros_like would leave the gaps as they are
    for member in array.dtype.names:
        clean[member] = array[member]
    target = io.BytesIO()
    np.save(target, clean, allow_pickle=False)
    return target.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, FIRST_DAY)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
