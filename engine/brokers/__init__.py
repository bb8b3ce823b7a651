"""Brokers: who carries our orders."""
