"""Run records: the contract between training and everything after it."""

from seqrec.records.reading import read_record
from seqrec.records.record import Record
from seqrec.records.survey import read_records

__all__ = ["Record", "read_record", "read_records"]
