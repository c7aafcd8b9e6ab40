"""Adds an environment by copying one that is there. --help says how."""

from slipway.steps import clone_environment

raise SystemExit(clone_environment.main())
