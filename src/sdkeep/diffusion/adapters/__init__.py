"""What is put on top of a checkpoint for a while: LoRA and its kin, textual inversions, hypernetworks.

What an algorithm does to a weight is in `weights.adapters`; here it is done to networks in memory, and undone.
"""
