"""What holds for all tests."""

import os

from hypothesis import settings

# No assertion on wall-clock time: a busy machine must not turn a property red. In CI the examples are the same every
# time, so that a change is judged by what it changed; a developer's machine looks for new ones.
settings.register_profile("slipway", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("slipway")
