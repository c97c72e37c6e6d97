"""What goes over our own TCP connections: the banner, the frames, the control messages. Pure."""
