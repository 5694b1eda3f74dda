"""Merge methods: pure functions on tensors, in one literal registry with their origin, parameters and spaces."""
