"""Extract: what lands in the raw tables, and how."""
