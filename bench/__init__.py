"""The benchmark suite: our hot paths and the peers, side by side in one run. ``python -m bench --list``."""
