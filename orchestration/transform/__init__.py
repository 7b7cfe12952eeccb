"""Transform: dbt, by the day or the window."""
