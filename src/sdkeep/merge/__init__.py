"""Merging: recipes, methods as pure functions on tensors, block maps, adapter algebra, the streaming runner.

It fetches nothing and records nothing: an action resolves the parents and writes the catalogue.
"""
