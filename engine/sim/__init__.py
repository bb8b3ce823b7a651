"""Synthetic markets on virtual time, made from a seed."""
