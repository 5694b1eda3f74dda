"""Floor 2: the hubs, asked over `net` and answered in ground values. Knows no disk, no catalogue; downloads no weights."""
