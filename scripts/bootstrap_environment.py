"""Prepares an environment, once, as a platform admin. --help says how."""

from slipway.steps import bootstrap_environment

raise SystemExit(bootstrap_environment.main())
