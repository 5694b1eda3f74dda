"""Hugging Face: repositories in, ground values and ground errors out. The only place that knows huggingface_hub.

It asks for metadata, file lists and accounts through the library, which speaks through our own `Web`, so that tokens,
proxies, retries and redirects follow one policy. It downloads no weights.
"""
