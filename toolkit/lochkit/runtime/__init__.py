"""Actors, supervision, signals and debouncing: knows Trio, knows no domain."""
