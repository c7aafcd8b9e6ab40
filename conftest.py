"""What holds for all tests."""

from hypothesis import settings

# No assertion on wall-clock time: a busy machine must not turn a property red.
settings.register_profile("slipway", deadline=None)
settings.load_profile("slipway")
