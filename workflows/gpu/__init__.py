"""`make gpu`: times and trains the papers' networks on one device."""
