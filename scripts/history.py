"""Shows what happened to the environments: the audit. --help says how."""

from slipway.steps import history

raise SystemExit(history.main())
