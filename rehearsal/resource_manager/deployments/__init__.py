"""Deployments of templates: checked, asked about (what-if), run, remembered.

Source: learn.microsoft.com/rest/api/resources/deployments.
"""
