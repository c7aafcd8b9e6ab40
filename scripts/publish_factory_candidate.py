"""Puts copies of the factory objects that a release changes beside the live ones, for its test. --help says how."""

from slipway.steps import publish_factory_candidate

raise SystemExit(publish_factory_candidate.main())
