"""Snapshots, retention and replication of ZFS datasets, between hosts and within one."""
