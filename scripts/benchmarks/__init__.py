"""Measurements of lochkit beside other clients; `scripts/bench` prepares them and runs them."""
