"""Data Factory: definitions, triggers and pipeline runs behind management.azure.com."""
