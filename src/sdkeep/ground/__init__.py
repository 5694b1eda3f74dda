"""Floor 0: the values everything agrees on. Standard library only, no input or output, nothing re-exported."""
