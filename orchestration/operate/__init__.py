"""Operate: what people ask of the system day by day."""
