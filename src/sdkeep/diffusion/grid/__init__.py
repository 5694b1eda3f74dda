"""X/Y/Z grids: one job over several values of up to three of its parameters, and the labelled picture of them all."""
