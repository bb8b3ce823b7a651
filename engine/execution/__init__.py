"""When, how much and at which price: algorithms, and the orders they lead to."""
