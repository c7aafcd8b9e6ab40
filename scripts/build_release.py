"""Builds the release that every environment receives unchanged. --help says how."""

from slipway.steps import build_release

raise SystemExit(build_release.main())
