"""A small authority of one's own: certificates for hosts that know each other."""
