"""`python -m seqrec`: the command line, found without an activated environment."""

import os
import signal

from seqrec.cli.main import main
from seqrec.signals import end_with_parent

end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
main(prog_name="seqrec")
