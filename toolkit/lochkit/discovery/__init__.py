"""The service registry: who serves what, where, and with which credentials, kept in etcd."""
