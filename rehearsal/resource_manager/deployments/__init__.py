"""Deployments of templates: checked, asked about (what-if), run, and remembered (learn.microsoft.com/rest/api/resources/deployments)."""
