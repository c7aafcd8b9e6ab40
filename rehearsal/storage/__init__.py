"""Azure Storage: Microsoft's own Azurite behind a front that checks tokens and roles."""
