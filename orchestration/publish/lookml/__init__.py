"""LookML made from what dbt knows of the marts, and a check of any LookML project."""
