"""What it costs, against a floor measured in the same run. `python -m benchmarks` runs them all."""
