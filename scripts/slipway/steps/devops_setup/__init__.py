"""What setup_azure_devops makes, part by part."""
