"""Floor 2, bytes at rest: content-addressed blobs, links into WebUI folders, trash, locks, sweep.

It never decides what is placed where, never opens the catalogue, and never deletes what it cannot prove it made.
"""
