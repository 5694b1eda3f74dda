"""Torch's doorstep: bytes of a source to tensors, number formats and rounding, and what an adapter does to a weight.

One implementation for merging and for generating. It parses no container (rooms above hand it spans) and chooses no
device.
"""
