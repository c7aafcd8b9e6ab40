"""Imports an export of Data Factory Studio into an environment's factory. --help says how."""

from slipway.steps import import_factory_export

raise SystemExit(import_factory_export.main())
