"""`python -m rehearsal`: a rehearsal, or one of the commands that need none."""

import sys
from importlib import import_module

from rehearsal.setup import ROOT

# First word -> the module whose main() it is; with any other, the rehearsal itself.
COMMANDS = {
    "template": "rehearsal.resource_manager.template_command",
}

if sys.argv[1:2] and sys.argv[1] in COMMANDS:
    sys.exit(import_module(COMMANDS[sys.argv[1]]).main(sys.argv[2:]))

# The release code is installed nowhere: scripts run from the folder that they lie in.
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "library" / "src")]

from rehearsal.command import main  # noqa: E402

sys.exit(main())
