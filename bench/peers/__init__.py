"""The peers: one file each, driven in the way that is best for them."""
