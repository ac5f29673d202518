"""`python -m seqrec`: the command line, found without an activated environment."""

from seqrec.cli.main import main

main(prog_name="seqrec")
