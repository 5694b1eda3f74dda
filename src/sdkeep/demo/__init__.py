"""Floor 4: the sample hub, a real server on the loopback that can misbehave, and the guided tour over it.

Tests talk to the same server. Nothing here is used when real hubs are asked.
"""
