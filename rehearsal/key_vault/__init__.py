"""Azure Key Vault's data plane, as far as secrets go."""
