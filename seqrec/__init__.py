"""Sequential-recommendation experiments: data, models, training, evaluation, tables and figures."""

__version__ = "0.1.0"
