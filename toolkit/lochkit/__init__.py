"""Deployment glue for small networks, all of it following etcd."""

__version__ = "0.1.0"
