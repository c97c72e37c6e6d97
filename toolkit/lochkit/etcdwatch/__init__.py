"""Run a command whenever a part of etcd changes."""
