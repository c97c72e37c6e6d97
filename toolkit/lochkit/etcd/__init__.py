"""A Trio-native etcd v3 client and the watcher that follows a part of the keyspace."""
