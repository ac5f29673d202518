"""Reports to experiment trackers. Each is a module here, of the name that users give it."""

TRACKERS = {"tensorboard": "TensorBoard", "clearml": "ClearML", "mlflow": "MLflow"}
"""The class of each tracker, in the module of its name, which is imported where it is asked for."""
