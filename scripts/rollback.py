"""Goes back to the last stable release. --help says how."""

from slipway.steps import rollback

raise SystemExit(rollback.main())
