"""Names everything that keeps an environment from being released to, with the command that mends it. --help says how."""

from slipway.steps import doctor

raise SystemExit(doctor.main())
