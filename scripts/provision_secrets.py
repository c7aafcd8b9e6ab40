"""Provisions the environment's secrets. --help says how."""

from slipway.steps import provision_secrets

raise SystemExit(provision_secrets.main())
