"""Trainings on another machine, which has a GPU and little else, for a run that goes on where it was."""
