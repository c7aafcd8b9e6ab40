"""Takes an existing job into Slipway, by name or id. --help says how."""

from slipway.steps import adopt_job

raise SystemExit(adopt_job.main())
