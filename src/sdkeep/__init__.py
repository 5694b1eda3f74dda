"""sdkeep: the package manager for Stable Diffusion models. Importing the package loads nothing heavy."""

__version__ = "0.1.0"
