"""Floor 2, what WebUIs expect: folder layouts as data, detection, names for placed files, prompt forms, sidecars.

It plans where a file belongs and never moves a model; `store` does that.
"""
