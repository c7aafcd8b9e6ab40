"""Shows what is live, what the slots hold, who is releasing. --help says how."""

from slipway.steps import status

raise SystemExit(status.main())
