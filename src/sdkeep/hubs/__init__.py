"""Floor 2: the hubs, asked over `net`, answered in ground values. No disk, no catalogue; downloads no weights."""
