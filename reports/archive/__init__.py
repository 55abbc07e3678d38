"""Archives: what a report is made of, in one small file, apart from the volumes that it was taken from."""
