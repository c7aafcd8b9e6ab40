"""Makes a lost or damaged state anew. --help says how."""

from slipway.steps import rebuild_state

raise SystemExit(rebuild_state.main())
