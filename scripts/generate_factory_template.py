"""Generates the factory's template from its Git folder. --help says how."""

from slipway.steps import generate_factory_template

raise SystemExit(generate_factory_template.main())
