"""Files of a user's own: scans of any format, how they come to one grid, and what a folder or a table says of them."""
