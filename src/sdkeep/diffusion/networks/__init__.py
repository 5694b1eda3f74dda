"""The networks of SD 1, SD 2 and SDXL. Every attribute bears the name of its key in a single-file checkpoint.

`config` reads the sizes off the keys' shapes, `clip`, `openclip`, `unet` and `vae` build modules of those sizes, and
`layers` holds what they share. Nothing here chooses a device or a number format, opens a file or reports progress.
"""
