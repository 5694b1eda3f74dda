"""Civitai: its REST API in, ground values and ground errors out. What the wire looks like stays in this folder."""
