"""Run every benchmark and print its ratios."""

from benchmarks import landing

landing.main()
