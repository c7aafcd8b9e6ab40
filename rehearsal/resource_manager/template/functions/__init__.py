"""The functions of the template language, one module per theme; `registry` finds one by name."""
