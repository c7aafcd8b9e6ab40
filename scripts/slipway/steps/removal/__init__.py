"""The parts of remove_environment: each looks first, and what it would remove is done afterwards, one thing after the other."""
