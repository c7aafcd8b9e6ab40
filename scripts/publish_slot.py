"""Publishes the release into the idle slot. --help says how."""

from slipway.steps import publish_slot

raise SystemExit(publish_slot.main())
