"""Floor 2, from what a file does to whether it may be placed: policy, verdict, report. Reads no bytes of its own."""
