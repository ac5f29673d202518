"""Plans and watches experiments, carries out their runs, and recommends with the models."""
