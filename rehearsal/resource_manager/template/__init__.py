"""The template language: expressions, parameters, loops, dependencies and outputs; knows no HTTP and no provider.

Sources: learn.microsoft.com/azure/azure-resource-manager/templates (syntax, functions, copy, nested deployments).
"""
