"""From a checkpoint to a picture: networks of SD 1, SD 2 and SDXL, samplers, the prompt dialect, the pipeline.

Modules carry the names of the checkpoint's keys. It resolves no reference, fetches nothing and records nothing.
"""
