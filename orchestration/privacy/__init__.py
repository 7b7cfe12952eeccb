"""Privacy: how one person is taken out of everything, and the proof of it."""
