"""The one exception that is meant for the user rather than for a programmer."""


class SeqrecError(Exception):
    """Something the user can mend: its text names the file, the place, the value and the remedy.

    The command line prints the text alone, without a traceback, and exits with 1.
    """
