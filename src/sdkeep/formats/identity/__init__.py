"""Inside identification: the index of a header, conditions on it, adapters, number formats. Reads no bytes itself."""
