"""Rehearses a rollback and the way forward again. --help says how."""

from slipway.steps import drill

raise SystemExit(drill.main())
