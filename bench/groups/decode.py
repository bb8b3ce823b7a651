"""Decoders, from memory to records: filled in when the generated streams are here."""

from __future__ import annotations

from bench.measure import Row

ROWS: list[Row] = []
