"""Loaders of public layouts of labelled traffic, one file each; registry.py lists them."""
