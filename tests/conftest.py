"""One CPU thread for every test and the processes it starts, and no deadline for an example.

Tiny tensors gain nothing from more, and threads that wait for one another make a busy machine
many times slower.
"""

import os

from hypothesis import settings

# Read when torch is imported, which happens after this file is.
os.environ["OMP_NUM_THREADS"] = "1"

# A test that passes alone must not fail because the machine was busy.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
