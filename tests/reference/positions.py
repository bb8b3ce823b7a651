"""Positions the slow way: every reading computed anew from all fills, average cost as an exact fraction."""

from fractions import Fraction


def account(fills, start=(0, 0)):
    """(quantity, cost, realised, fees, cash) of signed (quantity, price, fee) in counts of 1e-9; money in 1e-18.

    Units are sold and bought one lump at a time: what closes leaves at the average, what opens comes in at its price.
    """
    quantity, average = start[0], Fraction(start[1])
    realised = fees = cash = Fraction(0)
    for told, price, fee in fills:
        change = told
        fees += fee * 10**9
        cash -= change * price + fee * 10**9
        if quantity * change < 0:
            closed = min(abs(quantity), abs(change)) * (1 if quantity > 0 else -1)
            realised += closed * (price - average)
            quantity, change = quantity - closed, change + closed
            if quantity == 0:
                average = Fraction(0)
        if change:
            average = (quantity * average + change * price) / (quantity + change)
            quantity += change
    return quantity, quantity * average, realised, fees, cash


def worst(rows):
    """(gross, long, short) of (position, buying, selling, mark)."""
    gross = sum(max(abs(held + bought), abs(held - sold)) * mark for held, bought, sold, mark in rows)
    long = sum((held + bought) * mark for held, bought, _, mark in rows)
    return gross, long, sum((sold - held) * mark for held, _, sold, mark in rows)
