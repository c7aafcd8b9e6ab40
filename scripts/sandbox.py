"""Keeps a developer's own folder in the workspace in step with this checkout; runs its notebooks. --help says how."""

from slipway.steps import sandbox

raise SystemExit(sandbox.main())
