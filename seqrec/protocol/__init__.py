"""What is held out, and how well it is ranked."""
