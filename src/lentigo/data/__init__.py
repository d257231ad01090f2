"""From a public data set to a prepared one: manifest, duplicates, splits, pixels.

Kept empty on purpose: the worker processes of ``prepare`` import this package, and must not
pay for pandas.
"""
