"""Writes your tenant, subscription, names and workspace into the configuration. --help says how."""

from slipway.steps import configure

raise SystemExit(configure.main())
