"""Webhooks: what vendors send by themselves is kept on disk first, and landed afterwards."""
