"""Instance optimisation: what fits a displacement further to its own pair, whichever method it comes from."""
