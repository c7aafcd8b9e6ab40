"""Runs the integration test from the idle slot. --help says how."""

from slipway.steps import run_integration_test

raise SystemExit(run_integration_test.main())
