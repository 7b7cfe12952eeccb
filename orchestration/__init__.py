"""Everything around the models: extract, transform, activate, publish, operate, a pretend shop."""
