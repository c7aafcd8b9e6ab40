"""`python -m rehearsal`."""

import sys

from rehearsal.setup import ROOT

# The release code is installed nowhere: scripts run from the folder that they lie in.
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "library" / "src")]

from rehearsal.command import main  # noqa: E402

sys.exit(main())
