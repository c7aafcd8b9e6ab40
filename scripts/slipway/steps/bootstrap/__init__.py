"""The parts of bootstrap_environment, each by itself: what one is not let do does not stop the others."""
