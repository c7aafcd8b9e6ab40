"""Data Factory's expression language (learn.microsoft.com/azure/data-factory/control-flow-expression-language-functions)."""
