"""The words and the arithmetic of the house: units, events, instruments. No behaviour."""
