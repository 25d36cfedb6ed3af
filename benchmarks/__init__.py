"""Speed of every op against torch's, by pytest-benchmark: ``python -m benchmarks``."""
