"""The agent: runs the steps of one job at a time, in an empty workspace, with an environment of its own."""
