"""Displacements that were made elsewhere: their files, what their numbers mean, and how that is found out."""
