"""What an adapter does to a weight: its file taken apart, its targets found in a checkpoint, its arithmetic.

One statement of every algorithm, for merging and for generating. It opens no file: callers hand in names, shapes and
tensors.
"""
