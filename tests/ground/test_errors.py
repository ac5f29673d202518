"""Messages of errors are safe to print, whatever they quote."""

from hypothesis import given
from hypothesis import strategies as st

from seqrec.errors import SeqrecError


def test_what_a_message_quotes_cannot_steer_a_terminal() -> None:
    error = SeqrecError("a\x1b[2Jb\x9bc\rd\u202ee\ud800f\n  é日😀")
    assert str(error) == r"a\x1b[2Jb\x9bc\rd\u202ee\ud800f" + "\n  é日😀"


@given(st.text(st.characters()))
def test_any_message_can_be_printed_and_written(text: str) -> None:
    message = str(SeqrecError(text))
    message.encode()
    assert all(line.isprintable() for line in message.split("\n"))
