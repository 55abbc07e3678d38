"""What is known before the first job: data sets and their files, room, and how long it may take."""
