"""The pretend shop: a seeded simulation, and the vendors' protocols on loopback."""
