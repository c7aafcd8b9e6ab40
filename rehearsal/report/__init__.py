"""What a rehearsal shows at its end: a table in the terminal, and one self-contained page."""
