"""The expression language against vectors of Microsoft's own tests (where they are) and our own (always)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal.pipelines.expressions import Context, ExpressionError, ExpressionSyntaxError, Version, evaluate, parse
from rehearsal.pipelines.expressions import truth as truth_of
from rehearsal.pipelines.expressions.functions import FUNCTIONS, Function

VECTORS = Path(__file__).parents[4] / "shared" / "data" / "pipelines" / "expression-vectors.json"


def cases() -> list[dict[str, Any]]:
    return list(json.loads(VECTORS.read_text())["cases"]) if VECTORS.is_file() else []


def _given(value: Any, _: Sequence[Any]) -> Any:
    if isinstance(value, dict) and "__version__" in value:
        return Version(*(int(part) for part in value["__version__"].split(".")))
    return value


@pytest.mark.skipif(not VECTORS.is_file(), reason="the shared vectors are not here")
@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['test']}:{case['expr']}")
def test_as_microsofts_own_tests_expect(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in case.get("functions", {}).items():
        function = Function(name, 0, 0, partial(_given, value))
        monkeypatch.setitem(cast(dict[str, Function], FUNCTIONS), name.lower(), function)
    if case["mode"] == "throws":
        with pytest.raises(ExpressionError) as caught:
            evaluate(parse(case["expr"]), Context())
        if case["exception"] == "ParseException":
            assert isinstance(caught.value, ExpressionSyntaxError)
            assert caught.value.token == case["raw_token"]
        else:
            assert (caught.value.from_kind, caught.value.to_kind) == (case["from_kind"], case["to_kind"])  # type: ignore[attr-defined]
    else:
        assert truth_of(parse(case["expr"]), Context()) is case["expect"]
