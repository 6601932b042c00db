"""Cleaning: rows that spoil a dataset are proposed with counts, and moved only on request."""
