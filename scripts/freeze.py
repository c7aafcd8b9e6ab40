"""Holds an environment with a message, or ends that. --help says how."""

from slipway.steps import freeze

raise SystemExit(freeze.main())
