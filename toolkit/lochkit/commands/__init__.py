"""One module per subcommand: builds the channels and the actors, opens one nursery."""
