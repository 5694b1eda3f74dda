"""Floor 4, the command line: reads arguments, calls one action, renders its answer. Decides nothing."""
