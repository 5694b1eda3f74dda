"""Floor 1: the network. One HTTP client with one policy, remote files read by ranges, and downloads that resume.

Knows nothing of hubs, models or the store; what a hub's refusal means is told to it by the caller.
"""
