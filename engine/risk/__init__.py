"""What may be lost: limits, the gate that holds orders to them, and positions."""
