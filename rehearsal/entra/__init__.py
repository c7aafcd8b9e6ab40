"""Microsoft Entra ID, as far as a release signs in: applications, client secrets, federation, signed tokens."""
