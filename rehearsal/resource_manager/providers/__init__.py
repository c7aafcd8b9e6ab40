"""What each resource type demands and becomes; one module per provider, all of them listed in `registry`."""
