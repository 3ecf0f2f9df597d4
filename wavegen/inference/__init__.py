"""Use of flows in other probabilistic programs (Pyro)."""
