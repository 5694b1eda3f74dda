"""Floor 3: one use-case a module, named as its verb. Joins the rooms below; prints nothing, asks nobody."""
