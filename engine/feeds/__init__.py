"""Providers and what is made of their events before anything decides."""
