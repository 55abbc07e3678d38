"""Your own pair: two files on disk, one registration, its files, a picture and numbers (`python -m workflows.pair`)."""
