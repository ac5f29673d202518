"""One CPU thread for every test and the processes it starts.

Tiny tensors gain nothing from more, and threads that wait for one another make a busy machine
many times slower.
"""

import os

# Read when torch is imported, which happens after this file is.
os.environ["OMP_NUM_THREADS"] = "1"
