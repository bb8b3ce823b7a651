"""Market history and our own history on disk."""
