"""Floor 1, bytes to facts and back: containers, pickles, safetensors, identification, digests. No network, no torch."""
