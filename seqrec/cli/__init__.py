"""The commands, one module a stage."""
