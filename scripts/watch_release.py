"""Looks at the first runs of the release that is live. --help says how."""

from slipway.steps import watch_release

raise SystemExit(watch_release.main())
