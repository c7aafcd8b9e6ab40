"""`python -m rehearsal`: a rehearsal, or one of the commands that need none."""

import os
import sys
from importlib import import_module
from pathlib import Path

from rehearsal.setup import ROOT, environment_folder

# First word -> the module whose main() it is; with any other, a release is rehearsed.
COMMANDS = {
    "pieces": "rehearsal.pieces.command",
    "pipeline": "rehearsal.pipelines.preview_command",
    "template": "rehearsal.resource_manager.template_command",
}


def _use_own_environment() -> None:
    """Whatever Python this was typed with: goes on with the one that the set-up made, where the packages are."""
    folder = environment_folder("rehearsal")
    python = folder / "bin" / "python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if not python.exists():
        sys.exit(f"Nothing is set up yet in {ROOT}. Type there first: make setup")
    os.execv(python, [str(python), "-m", "rehearsal", *sys.argv[1:]])  # noqa: S606


_use_own_environment()
# The release code is installed nowhere: scripts run from the folder that they lie in.
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "library" / "src")]

command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
if command is None:
    sys.exit(import_module("rehearsal.command").main())
sys.exit(import_module(command).main(sys.argv[2:]))
