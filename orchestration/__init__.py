"""Everything around the models: extract, transform, activate, publish, operate, and a pretend shop."""
