"""Settings and tokens: read once at the top from flags, environment and files, handed down as values.

This room decides nothing about models and talks to no network.
"""
