"""HTTP apart from rules: each module reads requests of one service and shapes its answers."""
