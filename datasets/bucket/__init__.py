"""Public buckets that hold several collections: what is in them, and where it is found here."""
