"""Removes what bootstrap and releases made for an environment. --help says how."""

from slipway.steps import remove_environment

raise SystemExit(remove_environment.main())
