"""Switches to the tested candidate, or takes an open switch back. --help says how."""

from slipway.steps import switch_slot

raise SystemExit(switch_slot.main())
