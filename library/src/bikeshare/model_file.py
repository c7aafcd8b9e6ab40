"""A fitted model as bytes, and back.

The bytes are one line that says what this is, one line of JSON with everything about the model but its estimator, then
the estimator by joblib. The JSON can be read without unpickling. Unpickling runs what the bytes say, so load only what a
train task of your own wrote: the hash in the JSON finds damage, not malice.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import joblib
import sklearn

from bikeshare.model import Model

FORMAT = b"bikeshare model 1\n"


class UnusableModel(ValueError):
    """The bytes are no model, are damaged, or were made with another version of scikit-learn."""


def dumps(model: Model) -> bytes:
    """The model as bytes."""
    buffer = io.BytesIO()
    joblib.dump(model.estimator, buffer, compress=3)
    estimator = buffer.getvalue()
    about = {
        "kind": model.kind,
        "features": model.features,
        "fitted_hours": model.fitted_hours,
        "fitted_fingerprint": model.fitted_fingerprint,
        "scikit_learn": sklearn.__version__,
        "sha256": hashlib.sha256(estimator).hexdigest(),
    }
    return FORMAT + json.dumps(about).encode() + b"\n" + estimator


def describe(data: bytes) -> dict[str, Any]:
    """What the bytes say about the model, without loading it. Raises UnusableModel when they are no model."""
    return _open(data)[0]


def loads(data: bytes) -> Model:
    """The model in the bytes.

    Raises UnusableModel when they are no model, are damaged, or were made with a scikit-learn whose first two numbers
    differ from the one here: for those scikit-learn promises nothing
    (https://scikit-learn.org/stable/model_persistence.html).
    """
    about, estimator = _open(data)
    made_with = str(about.get("scikit_learn"))
    if _minor(made_with) != _minor(sklearn.__version__):
        raise UnusableModel(
            f"the model was made with scikit-learn {made_with}, here is {sklearn.__version__}: train it again"
        )
    if hashlib.sha256(estimator).hexdigest() != about.get("sha256"):
        raise UnusableModel("the model is damaged: it does not have the hash that it says")
    try:
        return Model(
            estimator=joblib.load(io.BytesIO(estimator)),
            kind=str(about["kind"]),
            features=tuple(about["features"]),
            fitted_hours=int(about["fitted_hours"]),
            fitted_fingerprint=str(about["fitted_fingerprint"]),
        )
    except KeyError as error:
        raise UnusableModel(f"the model does not say its {error.args[0]}") from None


def _open(data: bytes) -> tuple[dict[str, Any], bytes]:
    if not data.startswith(FORMAT):
        raise UnusableModel("this is no model, or one in a format that this version does not know")
    line, _, estimator = data[len(FORMAT) :].partition(b"\n")
    try:
        about = json.loads(line)
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise UnusableModel("the model is damaged: its description can't be read")
    return about, estimator


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
