"""Adapters as things to compute with: baked into a checkpoint, extracted, resized, merged, renamed.

What an algorithm does to a weight is in `weights.adapters`; here are files, ranks, names and metadata.
"""
