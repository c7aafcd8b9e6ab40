"""Any order of edits, deletions, pushes and pulls, in front of the workspace, against a model of a few lines."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import Conflict
from tests.rehearsal.databricks.sandboxes import HEADER, Machine
from tests.rehearsal.databricks.workbench import Site

NAMES = ("a", "it's ö")
Contents = dict[str, str | None]
steps = st.one_of(
    st.tuples(st.sampled_from(["edit here", "edit there", "delete here", "delete there"]), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["push", "pull"]), st.just("")),
)


class Model:
    def __init__(self) -> None:
        self.here: Contents = dict.fromkeys(NAMES)
        self.there: Contents = dict.fromkeys(NAMES)
        self.before: Contents = dict.fromkeys(NAMES)

    def sync(self, source: Contents, target: Contents) -> bool:
        """Whether nothing is in conflict."""
        fine = True
        for name in NAMES:
            if target[name] == self.before[name]:
                target[name] = source[name]
            elif source[name] != target[name]:
                fine = fine and source[name] == self.before[name]
                continue
            self.before[name] = source[name]
        return fine


def act(machine: Machine, model: Model, what: str, name: str, content: str) -> None:
    side = model.here if what.endswith(" here") else model.there
    if what == "edit here":
        machine.write(f"notebooks/{name}.py", content)
    elif what == "edit there":
        machine.edit(f"notebooks/{name}", content)
    elif side[name] is None:
        return
    elif what == "delete here":
        (machine.root / f"notebooks/{name}.py").unlink()
    else:
        machine.remove(f"notebooks/{name}")
    side[name] = content if what.startswith("edit") else None


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.lists(steps, min_size=4, max_size=12))
def test_any_order_of_things(walk: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            machine, model = Machine(site, Path(folder) / "checkout"), Model()
            machine.run("push")
            for number, (what, name) in enumerate(walk):
                if what in ("push", "pull"):
                    sides = (model.here, model.there)
                    fine = model.sync(*(sides if what == "push" else sides[::-1]))
                    assert machine.run(what, "--delete") == (0 if fine else Conflict.exit_code), machine.said
                else:
                    act(machine, model, what, name, f"{HEADER}{number}\n")
                here = {n: (machine.root / f"notebooks/{n}.py") for n in NAMES}
                assert {n: file.read_text() if file.exists() else None for n, file in here.items()} == model.here
                assert {n: machine.there(f"notebooks/{n}") for n in NAMES} == model.there
        finally:
            site.close()
