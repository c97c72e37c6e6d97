"""DHCP server configuration kept true to the hypervisors, guests and subnets in etcd."""
