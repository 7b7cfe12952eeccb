"""The scores in plain Python, written from their definitions and from nothing else.

Slow, obvious and independent of the SQL: one customer, one fact, one formula at a time. Its only
use is to be compared with the warehouse, so nothing here may be derived from the models.

Input is a dict of raw tables, `{(source, table): [row, ...]}`, with the contract's columns,
timezone-aware UTC datetimes and Decimal amounts. A table or column that is left out is empty.
"""

from reference.config import Config
from reference.score import known_customers, postal_trust, score, unattributed

__all__ = ["Config", "known_customers", "postal_trust", "score", "unattributed"]
