"""One training as a step of a run, and the trainings of a run on another machine."""
