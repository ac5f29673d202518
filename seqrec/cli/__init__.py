"""The commands, one module per stage."""
