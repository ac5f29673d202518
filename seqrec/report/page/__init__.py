"""The page that shows what an experiment found: one file that needs no network."""

from seqrec.report.page.building import write_page

__all__ = ["write_page"]
