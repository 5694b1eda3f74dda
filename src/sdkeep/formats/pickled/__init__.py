"""Pickles read without running them: an abstract interpreter, its values and its events. Judges nothing."""
